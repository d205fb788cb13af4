/** What every key service must do; each implementation's test calls this. */
import { KeyMismatchError, KeyRefusedError, KeyServiceUnavailableError } from '../src/keys/key-service.js';
import type { EncryptionContext, KeyService, KeyState } from '../src/keys/key-service.js';

export interface KeyServiceUnderTest {
  readonly service: KeyService;
  /** A second enabled key, and the id of a key that does not exist. */
  readonly otherKeyId: string;
  readonly unknownKeyId: string;
  /** Changes a key's state from outside the service. */
  readonly setState: (keyId: string, state: KeyState) => Promise<void>;
  /** Makes the service unable to say anything about the key. */
  readonly cutOff: (keyId: string) => Promise<void>;
  readonly dispose: () => Promise<void>;
}

const context: EncryptionContext = { deployment: 'd', organization: 'o', group: 'g', database: 'b' };

/** Declares the tests; `makeService` gives a service with keys of its own. */
export function describeKeyServiceContract(name: string, makeService: () => Promise<KeyServiceUnderTest>): void {
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

    it('gives each database a 256-bit key of its own, the same each time', async () => {
      const wrapped = await service.generateWrappedDataKey(keyId, context);
      const other = await service.generateWrappedDataKey(keyId, context);
      const dataKey = await service.unwrap(keyId, wrapped, context);
      expect(dataKey).toHaveLength(32);
      expect(await service.unwrap(keyId, wrapped, { ...context })).toEqual(dataKey);
      expect(await service.unwrap(keyId, other, context)).not.toEqual(dataKey);
      expect(wrapped.includes(dataKey)).toBe(false);
    });

    it('gives the caller a copy that it may wipe', async () => {
      const wrapped = await service.generateWrappedDataKey(keyId, context);
      const first = await service.unwrap(keyId, wrapped, context);
      const copy = Buffer.from(first);
      first.fill(0);
      expect(await service.unwrap(keyId, wrapped, context)).toEqual(copy);
    });

    it.each(['deployment', 'organization', 'group', 'database'] as const)('binds the %s', async (field) => {
      const wrapped = await service.generateWrappedDataKey(keyId, context);
      const other = { ...context, [field]: 'another' };
      await expect(service.unwrap(keyId, wrapped, other)).rejects.toThrow(KeyMismatchError);
    });

    it('does not confuse contexts whose values run into each other', async () => {
      const wrapped = await service.generateWrappedDataKey(keyId, { ...context, organization: 'ab', group: 'c' });
      const shifted = { ...context, organization: 'a', group: 'bc' };
      await expect(service.unwrap(keyId, wrapped, shifted)).rejects.toThrow(KeyMismatchError);
    });

    it('refuses a wrapped key that was altered or cut, and one of another key', async () => {
      const wrapped = await service.generateWrappedDataKey(keyId, context);
      for (const at of [0, 5, Math.floor(wrapped.length / 2), wrapped.length - 1]) {
        const altered = Buffer.from(wrapped);
        altered[at] = (altered[at] ?? 0) ^ 1;
        await expect(service.unwrap(keyId, altered, context)).rejects.toThrow(KeyMismatchError);
      }
      for (const cut of [
        Buffer.alloc(0),
        wrapped.subarray(1),
        wrapped.subarray(0, -1),
        Buffer.concat([wrapped, wrapped]),
      ]) {
        await expect(service.unwrap(keyId, cut, context)).rejects.toThrow(KeyMismatchError);
      }
      await expect(service.unwrap(underTest.otherKeyId, wrapped, context)).rejects.toThrow(KeyMismatchError);
    });

    it('wraps the same data key under another key and context', async () => {
      const wrapped = await service.generateWrappedDataKey(keyId, context);
      const to = { keyId: underTest.otherKeyId, context: { ...context, database: 'c' } };
      const rewrapped = await service.rewrap({ keyId, wrapped, context }, to);
      expect(await service.unwrap(to.keyId, rewrapped, to.context)).toEqual(
        await service.unwrap(keyId, wrapped, context),
      );
      await expect(service.unwrap(to.keyId, rewrapped, context)).rejects.toThrow(KeyMismatchError);
      await expect(service.rewrap({ keyId, wrapped, context: to.context }, to)).rejects.toThrow(KeyMismatchError);
    });

    it('refuses a key that it does not have', async () => {
      const wrapped = await service.generateWrappedDataKey(keyId, context);
      const unknown = underTest.unknownKeyId;
      await expect(service.generateWrappedDataKey(unknown, context)).rejects.toThrow(KeyRefusedError);
      await expect(service.unwrap(unknown, wrapped, context)).rejects.toThrow(KeyRefusedError);
      const from = { keyId, wrapped, context };
      await expect(service.rewrap(from, { keyId: unknown, context })).rejects.toThrow(KeyRefusedError);
    });

    it.each(['disabled', 'pending-deletion'] as const)('refuses a key while it is %s', async (state) => {
      const other = underTest.otherKeyId;
      const wrapped = await service.generateWrappedDataKey(keyId, context);
      const elsewhere = await service.generateWrappedDataKey(other, context);
      const dataKey = await service.unwrap(keyId, wrapped, context);
      await underTest.setState(keyId, state);
      await expect(service.unwrap(keyId, wrapped, context)).rejects.toThrow(KeyRefusedError);
      await expect(service.generateWrappedDataKey(keyId, context)).rejects.toThrow(KeyRefusedError);
      await expect(service.rewrap({ keyId, wrapped, context }, { keyId: other, context })).rejects.toThrow(
        KeyRefusedError,
      );
      await expect(service.rewrap({ keyId: other, wrapped: elsewhere, context }, { keyId, context })).rejects.toThrow(
        KeyRefusedError,
      );
      await underTest.setState(keyId, 'enabled');
      expect(await service.unwrap(keyId, wrapped, context)).toEqual(dataKey);
    });

    it('says that it is unavailable when it cannot tell', async () => {
      const wrapped = await service.generateWrappedDataKey(keyId, context);
      await underTest.cutOff(keyId);
      await expect(service.unwrap(keyId, wrapped, context)).rejects.toThrow(KeyServiceUnavailableError);
      await expect(service.generateWrappedDataKey(keyId, context)).rejects.toThrow(KeyServiceUnavailableError);
    });
  });
}
