/**
 * The key service of AWS: every data key is made and wrapped by KMS under a customer's key, always bound to the encryption
 * context of its database. The key is named with every request, also where the wrapped key names it itself: bytes that
 * were exchanged for some that another key wraps are refused. Creation and rewrapping never show a plaintext to this
 * process; unwrapping gives it in memory only, and only what a client had wrapped before is wrapped from there.
 */
import {
  DecryptCommand,
  EncryptCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  ReEncryptCommand,
  type GenerateDataKeyWithoutPlaintextCommandOutput,
} from '@aws-sdk/client-kms';
import type { Runtime } from '../../runtime.js';
import {
  KeyMismatchError,
  KeyServiceUnavailableError,
  type EncryptionContext,
  type KeyService,
  type KeyUse,
  type OnKeyUse,
  type WrappedByKey,
} from '../key-service.js';
import { observedUse, type Answered } from '../observed-use.js';
import { dataKeyBytes } from '../wrapped-key.js';
import { kmsKeyIdDefect, resolveKmsOptions, type KmsOptions } from './kms-options.js';
import { KmsRequests } from './kms-requests.js';

/** KMS takes no more as a wrapped key. */
const maxWrappedBytes = 6_144;

export class KmsKeyService implements KeyService {
  readonly defaultKeyId: string;
  readonly #requests: KmsRequests;
  readonly #onUse: OnKeyUse | undefined;
  #region: string | undefined;

  /** Makes no request yet. */
  constructor(options: KmsOptions, runtime: Runtime, onUse?: OnKeyUse) {
    const resolved = resolveKmsOptions(options);
    this.defaultKeyId = options.keyId;
    this.#region = resolved.region;
    this.#requests = new KmsRequests(runtime, resolved);
    this.#onUse = onUse;
  }

  /** Finds the region where the setting names none. Throws the SDK's error when there is none. */
  async settleRegion(): Promise<string> {
    this.#region = await this.#requests.region();
    return this.#region;
  }

  keyIdDefect(keyId: string): string | undefined {
    return kmsKeyIdDefect(keyId, this.#region);
  }

  async generateWrappedDataKey(keyId: string, context: EncryptionContext): Promise<WrappedByKey> {
    return this.#observed('generate', keyId, context, async (answered) => {
      const what = `make a data key under ${keyId}`;
      const output = await this.#requests.run(what, answered, (client, options) =>
        client.send(
          new GenerateDataKeyWithoutPlaintextCommand({
            KeyId: keyId,
            KeySpec: 'AES_256',
            EncryptionContext: fields(context),
          }),
          options,
        ),
      );
      return wrappedBy(what, output);
    });
  }

  async wrap(keyId: string, dataKey: Buffer, context: EncryptionContext): Promise<WrappedByKey> {
    return this.#observed('wrap', keyId, context, async (answered) => {
      const what = `wrap a data key under ${keyId}`;
      const output = await this.#requests.run(what, answered, (client, options) =>
        client.send(
          new EncryptCommand({ KeyId: keyId, Plaintext: dataKey, EncryptionContext: fields(context) }),
          options,
        ),
      );
      return wrappedBy(what, output);
    });
  }

  async unwrap(keyId: string, wrapped: Uint8Array, context: EncryptionContext): Promise<Buffer> {
    return this.#observed('unwrap', keyId, context, async (answered) =>
      this.#decrypt(keyId, wrapped, context, answered),
    );
  }

  async probe(keyId: string, wrapped: Uint8Array, context: EncryptionContext): Promise<void> {
    await this.#observed('probe', keyId, context, async (answered) => {
      (await this.#decrypt(keyId, wrapped, context, answered)).fill(0);
    });
  }

  async rewrap(
    from: { keyId: string; wrapped: Uint8Array; context: EncryptionContext },
    to: { keyId: string; context: EncryptionContext },
  ): Promise<WrappedByKey> {
    return this.#observed('rewrap', to.keyId, to.context, async (answered) => {
      const what = `wrap a data key of ${from.keyId} under ${to.keyId}`;
      assertWrappedBytes(what, from.wrapped);
      const output = await this.#requests.run(what, answered, (client, options) =>
        client.send(
          new ReEncryptCommand({
            SourceKeyId: from.keyId,
            SourceEncryptionContext: fields(from.context),
            CiphertextBlob: from.wrapped,
            DestinationKeyId: to.keyId,
            DestinationEncryptionContext: fields(to.context),
          }),
          options,
        ),
      );
      return wrappedBy(what, output);
    });
  }

  /** Closes the connections. */
  close(): void {
    this.#requests.close();
  }

  async #decrypt(keyId: string, wrapped: Uint8Array, context: EncryptionContext, answered: Answered): Promise<Buffer> {
    const what = `unwrap a data key under ${keyId}`;
    assertWrappedBytes(what, wrapped);
    const { Plaintext: plaintext } = await this.#requests.run(what, answered, (client, options) =>
      client.send(
        new DecryptCommand({ KeyId: keyId, CiphertextBlob: wrapped, EncryptionContext: fields(context) }),
        options,
      ),
    );
    if (plaintext?.byteLength !== dataKeyBytes) {
      plaintext?.fill(0);
      throw new KeyMismatchError(`${what}: it is no key of ${dataKeyBytes} bytes`);
    }
    const dataKey = Buffer.from(plaintext);
    plaintext.fill(0);
    return dataKey;
  }

  async #observed<T>(
    operation: KeyUse['operation'],
    keyId: string,
    { database }: EncryptionContext,
    run: (answered: Answered) => Promise<T>,
  ): Promise<T> {
    return observedUse(this.#onUse, { operation, keyId, database }, run);
  }
}

function fields({ deployment, organization, group, database }: EncryptionContext): Record<string, string> {
  return { deployment, organization, group, database };
}

/** Bytes that cannot be a wrapped key are not sent: KMS would call them a malformed request. */
function assertWrappedBytes(what: string, { byteLength }: Uint8Array): void {
  if (byteLength >= 1 && byteLength <= maxWrappedBytes) return;
  throw new KeyMismatchError(`${what}: no wrapped key has ${byteLength} bytes`);
}

function wrappedBy(
  what: string,
  {
    KeyId: keyId,
    CiphertextBlob: wrapped,
  }: Pick<GenerateDataKeyWithoutPlaintextCommandOutput, 'KeyId' | 'CiphertextBlob'>,
): WrappedByKey {
  if (keyId === undefined || !wrapped?.byteLength) {
    throw new KeyServiceUnavailableError(`${what}: the answer has no wrapped key in it`);
  }
  return { keyId, wrapped: Buffer.from(wrapped) };
}
