import {
  KeyRefusedError,
  type EncryptionContext,
  type KeyService,
  type WrappedByKey,
} from '../src/keys/key-service.js';
import { dataKeyBytes, unwrapDataKey, wrapDataKey } from '../src/keys/wrapped-key.js';
import type { Runtime } from '../src/runtime.js';

/** A key service in memory with one key, which can be disabled. */
export class MemoryKeyService implements KeyService {
  readonly defaultKeyId = 'memory-key';
  isDisabled = false;
  readonly #runtime: Pick<Runtime, 'randomBytes'>;
  readonly #material = Buffer.alloc(32, 7);

  constructor(runtime: Pick<Runtime, 'randomBytes'>) {
    this.#runtime = runtime;
  }

  keyIdDefect(): undefined {
    return undefined;
  }

  async generateWrappedDataKey(keyId: string, context: EncryptionContext): Promise<WrappedByKey> {
    return this.#wrap(keyId, context, this.#runtime.randomBytes(dataKeyBytes));
  }

  async wrap(keyId: string, dataKey: Buffer, context: EncryptionContext): Promise<WrappedByKey> {
    return this.#wrap(keyId, context, dataKey);
  }

  async unwrap(keyId: string, wrapped: Uint8Array, context: EncryptionContext): Promise<Buffer> {
    this.#assertUsable(keyId);
    return unwrapDataKey(this.#material, keyId, context, wrapped);
  }

  async probe(keyId: string, wrapped: Uint8Array, context: EncryptionContext): Promise<void> {
    await this.unwrap(keyId, wrapped, context);
  }

  async rewrap(
    from: { keyId: string; wrapped: Uint8Array; context: EncryptionContext },
    to: { keyId: string; context: EncryptionContext },
  ): Promise<WrappedByKey> {
    return this.#wrap(to.keyId, to.context, await this.unwrap(from.keyId, from.wrapped, from.context));
  }

  #wrap(keyId: string, context: EncryptionContext, dataKey: Buffer): WrappedByKey {
    this.#assertUsable(keyId);
    return { keyId, wrapped: wrapDataKey(this.#material, keyId, context, dataKey) };
  }

  #assertUsable(keyId: string): void {
    if (this.isDisabled || keyId !== this.defaultKeyId)
      throw new KeyRefusedError(`key ${keyId} cannot be used`, 'disabled');
  }
}
