import { ManualRuntime, settle } from '../../test/support/manual-runtime.js';
import {
  KeyMismatchError,
  KeyRefusedError,
  KeyServiceUnavailableError,
  type EncryptionContext,
  type KeyService,
} from './key-service.js';
import { KeyWatch, type HeldKey, type LostKey } from './key-watch.js';

const intervalMs = 30_000;
const graceMs = 100_000;
const dataKey = Buffer.alloc(32, 7);

function held(keyId: string, database: string, group = 'g'): HeldKey {
  return { keyId, wrapped: Buffer.from(database), context: { deployment: 'd', organization: 'o', group, database } };
}

describe('the watch over keys in use', () => {
  let runtime: ManualRuntime;
  /** What a use of a key under a context throws, if it does. */
  let trouble: (keyId: string, context: EncryptionContext) => Error | undefined;
  let asked: string[];
  let lost: string[];
  let reports: string[];
  let counted: unknown[];
  let watch: KeyWatch;
  beforeEach(() => {
    runtime = new ManualRuntime();
    trouble = () => undefined;
    [asked, lost, reports, counted] = [[], [], [], []];
    const use = (operation: string, keyId: string, context: EncryptionContext): void => {
      asked.push(`${operation} ${keyId} ${context.database}`);
      const error = trouble(keyId, context);
      if (error) throw error;
    };
    const service = {
      defaultKeyId: 'default',
      unwrap: async (keyId: string, _wrapped: Uint8Array, context: EncryptionContext) => {
        use('unwrap', keyId, context);
        return Buffer.from(dataKey);
      },
      probe: async (keyId: string, _wrapped: Uint8Array, context: EncryptionContext) => use('probe', keyId, context),
    } as Partial<KeyService> as KeyService;
    watch = new KeyWatch({
      runtime,
      service,
      probeEveryMs: intervalMs,
      graceMs,
      report: (event, { key }) => reports.push(`${event}: ${String(key)}`),
      onLost: (cause, databases) => counted.push([cause, databases]),
    });
  });

  const hold = (keyId: string, database: string, group?: string): (() => void) =>
    watch.hold([held(keyId, database, group)], (cause: LostKey) => lost.push(`${database} ${cause.name}`));
  const unwrap = async (keyId: string, database = 'x', group?: string): Promise<Buffer> => {
    const { wrapped, context } = held(keyId, database, group);
    return watch.unwrap(keyId, wrapped, context);
  };
  const refusing =
    (which: string, reason: 'disabled' | 'denied') =>
    (keyId: string): Error | undefined =>
      keyId === which ? new KeyRefusedError('of a test', reason) : undefined;

  it('probes each key once per interval, whatever the number of databases, with another one each time', async () => {
    for (let n = 0; n < 100; n++) hold('a', `a${n}`);
    hold('b', 'b0');
    await runtime.advance(3 * intervalMs);
    expect(asked.filter((line) => line.startsWith('probe a'))).toEqual(['probe a a0', 'probe a a1', 'probe a a2']);
    expect(asked.filter((line) => line.startsWith('probe b'))).toHaveLength(3);
    expect(lost).toEqual([]);
  });

  it('has no timer for keys that nobody holds', async () => {
    const releases = [hold('a', 'a0'), hold('a', 'a1')];
    expect([watch.keysInUse, runtime.pendingTimers]).toEqual([1, 1]);
    for (const release of releases) release();
    expect([watch.keysInUse, runtime.pendingTimers]).toEqual([0, 0]);
    hold('a', 'a0');
    watch.stop();
    await runtime.advance(2 * intervalMs);
    expect([asked, runtime.pendingTimers]).toEqual([[], 0]);
  });

  it('takes a refused key from its databases within one interval, and from no others', async () => {
    for (const database of ['a0', 'a1', 'a2']) hold('a', database);
    hold('b', 'b0');
    trouble = refusing('a', 'disabled');
    await runtime.advance(intervalMs);
    expect(lost).toEqual(['a1 KeyRefusedError', 'a2 KeyRefusedError', 'a0 KeyRefusedError']);
    expect(asked.filter((line) => line.startsWith('probe a'))).toHaveLength(1);
    expect(counted).toEqual([['refused', 3]]);
    expect(reports).toEqual(['key refused: a', 'key taken from its databases: a']);
    expect(watch.keysInUse).toBe(1);
  });

  it('watches every key that a database needs, and ends it when one goes', async () => {
    const needs = [held('a', 'x'), held('a', 'x'), held('b', 'x')];
    const release = watch.hold(needs, (cause) => {
      lost.push(cause.name);
      release();
    });
    expect(watch.keysInUse).toBe(2);
    trouble = refusing('b', 'disabled');
    await runtime.advance(intervalMs);
    expect([lost, watch.keysInUse, runtime.pendingTimers]).toEqual([['KeyRefusedError'], 0, 0]);
  });

  it('takes a key that one group is denied from that group only', async () => {
    for (const database of ['a0', 'a1']) hold('a', database, 'denied');
    for (const database of ['b0', 'b1']) hold('a', database, 'allowed');
    trouble = (_keyId, { group }) => (group === 'denied' ? new KeyRefusedError('of a test', 'denied') : undefined);
    await runtime.advance(intervalMs);
    expect(lost.map((line) => line.slice(0, 2)).sort()).toEqual(['a0', 'a1']);
    expect(asked).toEqual(['probe a a0', 'probe a b0']);
    await expect(unwrap('a', 'a0', 'denied')).rejects.toThrow(KeyRefusedError);
    expect(await unwrap('a', 'b2', 'allowed')).toEqual(dataKey);
  });

  it('takes a key that does not fit any more', async () => {
    hold('a', 'a0');
    trouble = () => new KeyMismatchError('of a test');
    await runtime.advance(intervalMs);
    expect([lost, counted]).toEqual([['a0 KeyMismatchError'], [['mismatch', 1]]]);
  });

  it('goes on without an answer for as long as it may, and no longer', async () => {
    hold('a', 'a0');
    await runtime.advance(intervalMs);
    const answeredAtMs = runtime.monotonicMs();
    trouble = () => new KeyServiceUnavailableError('of a test');
    await runtime.advance(graceMs - 3_000);
    expect(lost).toEqual([]);
    // The last answer came up to a tenth of an interval before.
    await runtime.advance(3_000);
    expect(runtime.monotonicMs()).toBe(answeredAtMs + graceMs);
    expect([lost, counted]).toEqual([['a0 KeyServiceUnavailableError'], [['unavailable', 1]]]);
    expect(reports).toEqual(['nothing is known about a key: a', 'key taken from its databases: a']);
  });

  it('begins to count anew with every answer', async () => {
    hold('a', 'a0');
    trouble = () => new KeyServiceUnavailableError('of a test');
    await runtime.advance(graceMs - 10_000);
    trouble = () => undefined;
    await runtime.advance(intervalMs);
    trouble = () => new Error('something nobody thought of');
    // The answer came up to an interval ago.
    await runtime.advance(graceMs - intervalMs);
    expect(lost).toEqual([]);
    expect(reports).toEqual([
      'nothing is known about a key: a',
      'key usable again: a',
      'nothing is known about a key: a',
    ]);
  });

  it('asks for a refused key once a second, however often it is wanted, and uses it again by itself', async () => {
    trouble = refusing('a', 'disabled');
    for (let n = 0; n < 50; n++) await expect(unwrap('a', `x${n}`)).rejects.toThrow(KeyRefusedError);
    expect(asked).toHaveLength(1);
    expect(await unwrap('b')).toEqual(dataKey);
    await runtime.advance(1_000);
    await expect(unwrap('a')).rejects.toThrow(KeyRefusedError);
    expect(asked).toHaveLength(3);
    trouble = () => undefined;
    await expect(unwrap('a')).rejects.toThrow(KeyRefusedError);
    await runtime.advance(1_000);
    expect(await unwrap('a')).toEqual(dataKey);
    expect(await unwrap('a')).toEqual(dataKey);
    expect(reports).toEqual(['key refused: a', 'key usable again: a']);
    expect(runtime.pendingTimers).toBe(0);
  });

  it('asks again at once where the key service did not answer or the key did not fit', async () => {
    for (const error of [new KeyServiceUnavailableError('of a test'), new KeyMismatchError('of a test')]) {
      trouble = () => error;
      await expect(unwrap('a')).rejects.toBe(error);
    }
    trouble = () => undefined;
    await settle();
    expect(await unwrap('a')).toEqual(dataKey);
    expect(reports).toEqual([]);
  });

  it('remembers a bounded number of refusals', async () => {
    trouble = () => new KeyRefusedError('of a test', 'unknown');
    for (let n = 0; n <= 10_000; n++) await unwrap(`key${n}`).catch(() => undefined);
    asked = [];
    await expect(unwrap('key10000')).rejects.toThrow(KeyRefusedError);
    expect(asked).toEqual([]);
    await expect(unwrap('key0')).rejects.toThrow(KeyRefusedError);
    expect(asked).toEqual(['unwrap key0 x']);
  });
});
