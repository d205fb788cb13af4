import pino from 'pino';
import { thrownBy } from '../../test/support/thrown-by.js';
import { ManualRuntime, settle } from '../../test/support/manual-runtime.js';
import { keySetBytes, tokenIssuer } from '../../test/support/token-issuer.js';
import { StoreUnavailableError, type ETag, type StoredObject } from '../object-store/object-store.js';
import { verificationKeysObject } from './claims.js';
import { PublishedRules } from './published-rules.js';
import { VerificationKeys } from './verification-keys.js';

/** A control store that holds one object and counts how often it is read. */
class ControlStore {
  body: Buffer | undefined;
  failing = false;
  reads = 0;
  /** Set to hold reads back until `release` is called. */
  release: (() => void) | undefined;
  holding = false;

  async get(key: string): Promise<StoredObject | undefined> {
    expect(key).toBe(verificationKeysObject);
    this.reads += 1;
    const body = this.body;
    if (this.holding) await new Promise<void>((resolve) => (this.release = resolve));
    if (this.failing) throw new StoreUnavailableError('no answer');
    return body === undefined ? undefined : { body, etag: 'e' as ETag };
  }
}

const one = tokenIssuer('one');
const two = tokenIssuer('two');
const noRules = new PublishedRules({ get: async () => undefined });

async function started(...bodies: readonly (Buffer | undefined)[]) {
  const store = new ControlStore();
  store.body = bodies.length === 0 ? keySetBytes(1, one) : bodies[0];
  const runtime = new ManualRuntime();
  const keys = new VerificationKeys({ store, rules: noRules, runtime, log: pino({ level: 'silent' }) });
  await keys.start();
  return { store, runtime, keys };
}

describe('VerificationKeys', () => {
  it('reads the set at the start and then only while requests come', async () => {
    const { store, runtime, keys } = await started();
    expect(await keys.find('one')).toMatchObject({ kid: 'one' });
    await runtime.advance(3_600_000);
    expect(store.reads).toBe(1);
    expect(runtime.pendingTimers).toBe(0);
    await keys.freshen();
    expect(store.reads).toBe(2);
  });

  it('says at the start what is wrong with the store', async () => {
    const runtime = new ManualRuntime();
    const store = new ControlStore();
    const keys = new VerificationKeys({ store, rules: noRules, runtime, log: pino({ level: 'silent' }) });
    store.failing = true;
    await expect(keys.start()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    store.failing = false;
    store.body = Buffer.from('{}');
    await expect(keys.start()).rejects.toMatchObject({ code: 'STORE_OBJECT_CORRUPT' });
  });

  it('starts without a published set, and knows no key', async () => {
    const { keys, runtime } = await started(undefined);
    const finding = keys.find('one');
    await runtime.advance(1_000);
    expect(await finding).toBeUndefined();
  });

  it('judges no request by a set that is older than ten seconds', async () => {
    const { store, runtime, keys } = await started();
    const key = (await keys.find('one'))!;
    store.body = keySetBytes(2, two);
    await runtime.advance(4_999);
    expect(keys.freshen()).toBeUndefined();
    expect(store.reads).toBe(1);
    expect(keys.isCurrent(key)).toBe(true);
    await runtime.advance(5_002);
    await keys.freshen();
    expect(keys.isCurrent(key)).toBe(false);
  });

  it('renews the set in the background on a busy node, so that nobody waits', async () => {
    const { store, runtime, keys } = await started();
    for (let second = 0; second < 60; second += 1) {
      await runtime.advance(1_000);
      expect(keys.freshen()).toBeUndefined();
      await settle();
    }
    expect(store.reads).toBe(1 + 12);
  });

  it('keeps a key that did not change and replaces one that kept only its name', async () => {
    const { store, runtime, keys } = await started(keySetBytes(1, one, two));
    const [keyOne, keyTwo] = [(await keys.find('one'))!, (await keys.find('two'))!];
    store.body = keySetBytes(2, one, tokenIssuer('two'));
    await runtime.advance(11_000);
    await keys.freshen();
    expect(keys.isCurrent(keyOne)).toBe(true);
    expect(keys.isCurrent(keyTwo)).toBe(false);
  });

  it('reads at once for an unknown key, once for all who ask', async () => {
    const { store, runtime, keys } = await started();
    await runtime.advance(2_000);
    store.body = keySetBytes(2, one, two);
    const found = await Promise.all([keys.find('two'), keys.find('two'), keys.find('one')]);
    expect(found.map((key) => key?.kid)).toEqual(['two', 'two', 'one']);
    expect(store.reads).toBe(2);
  });

  it('reads for unknown keys at most once a second, and still sees what was published before it was asked', async () => {
    const { store, runtime, keys } = await started();
    await runtime.advance(10);
    store.body = keySetBytes(2, one, two);
    const finding = keys.find('two');
    await runtime.advance(989);
    expect(store.reads).toBe(1);
    await runtime.advance(1);
    expect((await finding)?.kid).toBe('two');

    for (let n = 0; n < 200; n += 1) {
      void keys.find(`garbage-${n}`);
      await runtime.advance(50);
    }
    expect(store.reads).toBeLessThanOrEqual(2 + 11);
  });

  it('does not take a read that began before the question for an answer to it', async () => {
    const { store, runtime, keys } = await started();
    await runtime.advance(2_000);
    store.holding = true;
    const early = keys.find('two');
    await settle();
    store.body = keySetBytes(2, one, two);
    const late = keys.find('two');
    store.holding = false;
    store.release?.();
    expect(await early).toBeUndefined();
    await runtime.advance(1_000);
    expect((await late)?.kid).toBe('two');
  });

  it('keeps the last set for five minutes of a store outage, then refuses', async () => {
    const { store, runtime, keys } = await started();
    store.failing = true;
    await runtime.advance(299_000);
    await keys.freshen();
    expect((await keys.find('one'))?.kid).toBe('one');
    await runtime.advance(2_000);
    await expect(keys.freshen()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', status: 503 });
    expect(thrownBy(() => keys.freshen())).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    store.failing = false;
    await runtime.advance(1_000);
    await keys.freshen();
    expect((await keys.find('one'))?.kid).toBe('one');
  });

  it.each<[string, Buffer | undefined]>([
    ['vanished', undefined],
    ['went back to an older version', keySetBytes(1, two)],
    ['became garbage', Buffer.from('{')],
  ])('does not follow an object that %s', async (_what, body) => {
    const { store, runtime, keys } = await started(keySetBytes(2, one));
    store.body = body;
    await runtime.advance(20_000);
    await keys.freshen();
    expect((await keys.find('one'))?.kid).toBe('one');
    await runtime.advance(300_000);
    await expect(keys.freshen()).rejects.toMatchObject({ code: 'STORE_OBJECT_CORRUPT' });
  });
});
