/**
 * What every key service must do; each implementation is tested with it. Emulators of KMS do not do all of it: what one
 * lacks is named, and the test then holds the emulator to what it does instead, so that a better release is noticed.
 */
import { KeyMismatchError, KeyRefusedError, KeyServiceUnavailableError } from '../src/keys/key-service.js';
import type { EncryptionContext, KeyService, KeyState, KeyUse } from '../src/keys/key-service.js';

export interface KeyServiceUnderTest {
  readonly service: KeyService;
  /** Every use that the service told of. */
  readonly uses: readonly KeyUse[];
  /** What `service.defaultKeyId` is resolved to. */
  readonly defaultKey: string;
  /** A second enabled key, and the id of a key that does not exist. */
  readonly otherKeyId: string;
  readonly unknownKeyId: string;
  /** Changes a key's state from outside the service. */
  readonly setState: (keyId: string, state: KeyState) => Promise<void>;
  /** Gives somebody the right to use a key, where the service knows grants; resolves to what takes it back. */
  readonly grant?: (keyId: string) => Promise<() => Promise<void>>;
  /** Makes the service unable to say anything about the key. */
  readonly cutOff: (keyId: string) => Promise<void>;
  readonly dispose: () => Promise<void>;
}

export interface KeyServiceAbilities {
  /** A key that is disabled or scheduled for deletion is refused. */
  readonly honoursStates: boolean;
  /** A wrapped key that was altered, or that another key wraps, is told from a key that may not be used. */
  readonly tellsMismatches: boolean;
  /** Every byte of a wrapped key is checked, also those that name the key. */
  readonly checksHeader: boolean;
  /** Every request has a name in the audit log of the service. */
  readonly namesRequests: boolean;
}

const context: EncryptionContext = { deployment: 'd', organization: 'o', group: 'g', database: 'b' };

/** Declares the tests; `makeService` gives a service with keys of its own. */
export function describeKeyServiceContract(
  name: string,
  abilities: KeyServiceAbilities,
  makeService: () => Promise<KeyServiceUnderTest>,
): void {
  describe(`${name}: key service contract`, () => {
    let underTest: KeyServiceUnderTest;
    let service: KeyService;
    let keyId: string;
    beforeEach(async () => {
      underTest = await makeService();
      service = underTest.service;
      keyId = service.defaultKeyId;
    });
    afterEach(async () => underTest.dispose());

    const generate = async (of = context, by = keyId): Promise<Buffer> =>
      (await service.generateWrappedDataKey(by, of)).wrapped;

    /** It is not opened, and where the service can tell, because it does not fit. */
    const expectNotOpened = async (opening: Promise<unknown>): Promise<void> => {
      const error = await opening.then(
        () => 'opened',
        (reason: unknown) => reason,
      );
      if (abilities.tellsMismatches) expect(error).toBeInstanceOf(KeyMismatchError);
      else expect(error instanceof KeyMismatchError || error instanceof KeyRefusedError).toBe(true);
    };

    it('gives each database a 256-bit key of its own, the same each time', async () => {
      const wrapped = await generate();
      const other = await generate();
      const dataKey = await service.unwrap(keyId, wrapped, context);
      expect(dataKey).toHaveLength(32);
      expect(await service.unwrap(keyId, wrapped, { ...context })).toEqual(dataKey);
      expect(await service.unwrap(keyId, other, context)).not.toEqual(dataKey);
      expect(wrapped.includes(dataKey)).toBe(false);
    });

    it('names the key that wraps, by the name that it has for ever', async () => {
      const made = await service.generateWrappedDataKey(keyId, context);
      expect(made.keyId).toBe(underTest.defaultKey);
      expect(service.keyIdDefect(made.keyId)).toBeUndefined();
      expect(await service.unwrap(made.keyId, made.wrapped, context)).toHaveLength(32);
    });

    it('wraps a data key that it did not make', async () => {
      const dataKey = Buffer.alloc(32, 9);
      const made = await service.wrap(keyId, dataKey, context);
      expect(made.keyId).toBe(underTest.defaultKey);
      expect(made.wrapped.includes(dataKey)).toBe(false);
      expect(await service.unwrap(made.keyId, made.wrapped, context)).toEqual(Buffer.alloc(32, 9));
      await expect(service.unwrap(made.keyId, made.wrapped, { ...context, database: 'c' })).rejects.toThrow(
        KeyMismatchError,
      );
      await expect(service.wrap(underTest.unknownKeyId, dataKey, context)).rejects.toThrow(KeyRefusedError);
    });

    it('gives the caller a copy that it may wipe', async () => {
      const wrapped = await generate();
      const first = await service.unwrap(keyId, wrapped, context);
      const copy = Buffer.from(first);
      first.fill(0);
      expect(await service.unwrap(keyId, wrapped, context)).toEqual(copy);
    });

    it.each(['deployment', 'organization', 'group', 'database'] as const)('binds the %s', async (field) => {
      const wrapped = await generate();
      const other = { ...context, [field]: 'another' };
      await expect(service.unwrap(keyId, wrapped, other)).rejects.toThrow(KeyMismatchError);
      await expect(service.probe(keyId, wrapped, other)).rejects.toThrow(KeyMismatchError);
    });

    it('does not confuse contexts whose values run into each other', async () => {
      const wrapped = await generate({ ...context, organization: 'ab', group: 'c' });
      const shifted = { ...context, organization: 'a', group: 'bc' };
      await expect(service.unwrap(keyId, wrapped, shifted)).rejects.toThrow(KeyMismatchError);
    });

    it('refuses a wrapped key that was altered or cut, and one of another key', async () => {
      const wrapped = await generate();
      const middle = Math.floor(wrapped.length / 2);
      const last = wrapped.length - 1;
      for (const at of abilities.checksHeader ? [0, 5, middle, last] : [last - 40, last - 20, last]) {
        const altered = Buffer.from(wrapped);
        altered[at] = (altered[at] ?? 0) ^ 1;
        await expectNotOpened(service.unwrap(keyId, altered, context));
      }
      for (const cut of [
        Buffer.alloc(0),
        wrapped.subarray(1),
        wrapped.subarray(0, -1),
        Buffer.concat([wrapped, wrapped]),
        Buffer.alloc(100_000, 1),
      ]) {
        await expectNotOpened(service.unwrap(keyId, cut, context));
      }
      await expectNotOpened(service.unwrap(underTest.otherKeyId, wrapped, context));
    });

    it('wraps the same data key under another key and context', async () => {
      const wrapped = await generate();
      const to = { keyId: underTest.otherKeyId, context: { ...context, database: 'c' } };
      const rewrapped = await service.rewrap({ keyId, wrapped, context }, to);
      expect(rewrapped.keyId).toBe(to.keyId);
      expect(await service.unwrap(to.keyId, rewrapped.wrapped, to.context)).toEqual(
        await service.unwrap(keyId, wrapped, context),
      );
      await expect(service.unwrap(to.keyId, rewrapped.wrapped, context)).rejects.toThrow(KeyMismatchError);
      await expect(service.rewrap({ keyId, wrapped, context: to.context }, to)).rejects.toThrow(KeyMismatchError);
    });

    it('tells whether a key can be used without giving it', async () => {
      await expect(service.probe(keyId, await generate(), context)).resolves.toBeUndefined();
    });

    it('refuses a key that it does not have', async () => {
      const wrapped = await generate();
      const unknown = underTest.unknownKeyId;
      expect(service.keyIdDefect(unknown)).toBeUndefined();
      await expect(service.generateWrappedDataKey(unknown, context)).rejects.toThrow(KeyRefusedError);
      await expect(service.unwrap(unknown, wrapped, context)).rejects.toThrow(KeyRefusedError);
      const from = { keyId, wrapped, context };
      await expect(service.rewrap(from, { keyId: unknown, context })).rejects.toThrow(KeyRefusedError);
    });

    it('knows what can be no key', () => {
      for (const id of ['', 'no key at all', 'key\n', '../default', 'x'.repeat(3_000)]) {
        expect([id, service.keyIdDefect(id)]).toEqual([id, expect.any(String)]);
      }
    });

    for (const state of ['disabled', 'pending-deletion'] as const) {
      if (abilities.honoursStates) {
        it(`refuses a key while it is ${state}, and says so`, async () => {
          const other = underTest.otherKeyId;
          const wrapped = await generate();
          const elsewhere = await generate(context, other);
          const dataKey = await service.unwrap(keyId, wrapped, context);
          await underTest.setState(underTest.defaultKey, state);
          const refused = { name: 'KeyRefusedError', reason: state };
          await expect(service.unwrap(keyId, wrapped, context)).rejects.toMatchObject(refused);
          await expect(service.probe(keyId, wrapped, context)).rejects.toMatchObject(refused);
          await expect(service.generateWrappedDataKey(keyId, context)).rejects.toMatchObject(refused);
          await expect(service.rewrap({ keyId, wrapped, context }, { keyId: other, context })).rejects.toMatchObject(
            refused,
          );
          await expect(
            service.rewrap({ keyId: other, wrapped: elsewhere, context }, { keyId, context }),
          ).rejects.toMatchObject(refused);
          await underTest.setState(underTest.defaultKey, 'enabled');
          expect(await service.unwrap(keyId, wrapped, context)).toEqual(dataKey);
        });
      } else {
        it(`is not refused a key that is ${state}: the emulator does not mind`, async () => {
          const wrapped = await generate();
          await underTest.setState(underTest.defaultKey, state);
          expect(await service.unwrap(keyId, wrapped, context)).toHaveLength(32);
        });
      }
    }

    it('takes grants that are given and revoked; no emulator minds them', async () => {
      const wrapped = await generate();
      const revoke = await underTest.grant?.(underTest.defaultKey);
      expect(await service.unwrap(keyId, wrapped, context)).toHaveLength(32);
      await revoke?.();
      expect(await service.unwrap(keyId, wrapped, context)).toHaveLength(32);
    });

    it('tells of every use, with the name of the request, and never what the key is', async () => {
      const wrapped = await generate();
      const dataKey = await service.unwrap(keyId, wrapped, context);
      await service.probe(keyId, wrapped, context);
      await service.rewrap({ keyId, wrapped, context }, { keyId: underTest.otherKeyId, context });
      await service.unwrap(keyId, wrapped, { ...context, database: 'c' }).catch(() => undefined);
      await service.unwrap(underTest.unknownKeyId, wrapped, context).catch(() => undefined);
      expect(underTest.uses.map(({ requestId: _, durationMs: __, ...use }) => use)).toEqual([
        { operation: 'generate', keyId, database: 'b', outcome: 'done' },
        { operation: 'unwrap', keyId, database: 'b', outcome: 'done' },
        { operation: 'probe', keyId, database: 'b', outcome: 'done' },
        { operation: 'rewrap', keyId: underTest.otherKeyId, database: 'b', outcome: 'done' },
        { operation: 'unwrap', keyId, database: 'c', outcome: 'mismatch' },
        { operation: 'unwrap', keyId: underTest.unknownKeyId, database: 'b', outcome: 'refused' },
      ]);
      const ids = underTest.uses.map(({ requestId }) => requestId);
      expect(new Set(ids).size).toBe(abilities.namesRequests ? ids.length : 1);
      const told = JSON.stringify(underTest.uses);
      for (const encoding of ['hex', 'base64', 'base64url', 'latin1'] as const) {
        expect(told).not.toContain(dataKey.toString(encoding));
        expect(told).not.toContain(wrapped.toString(encoding));
      }
    });

    it('says that it is unavailable when it cannot tell', async () => {
      const wrapped = await generate();
      await underTest.cutOff(keyId);
      await expect(service.unwrap(keyId, wrapped, context)).rejects.toThrow(KeyServiceUnavailableError);
      await expect(service.probe(keyId, wrapped, context)).rejects.toThrow(KeyServiceUnavailableError);
      await expect(service.generateWrappedDataKey(keyId, context)).rejects.toThrow(KeyServiceUnavailableError);
      expect(underTest.uses.slice(-3).map(({ outcome }) => outcome)).toEqual(Array(3).fill('unavailable'));
    });
  });
}
