/** A key service in the simulated world: wraps by exclusive-or with a digest, which is all that a simulation needs. */
import { asError } from '../world/as-error.js';
import { createHash } from 'node:crypto';
import {
  KeyMismatchError,
  KeyServiceUnavailableError,
  type EncryptionContext,
  type KeyService,
  type WrappedByKey,
} from '@turso-byoc/data-plane/keys/key-service.js';
import type { Machine } from '../world/machine.js';
import type { World } from '../world/world.js';

/** What all nodes of a world see of the key service. */
export class KeyServiceState {
  isDown = false;
}

export class SimulatedKeys implements KeyService {
  readonly defaultKeyId = 'default';
  readonly #world: World;
  readonly #machine: Machine;
  readonly #state: KeyServiceState;

  constructor(world: World, machine: Machine, state: KeyServiceState) {
    this.#world = world;
    this.#machine = machine;
    this.#state = state;
  }

  keyIdDefect(): undefined {
    return undefined;
  }

  async generateWrappedDataKey(keyId: string, context: EncryptionContext): Promise<WrappedByKey> {
    return this.#ask(() => ({ keyId, wrapped: wrap(keyId, context, this.#world.random.bytes(32)) }));
  }

  async wrap(keyId: string, dataKey: Buffer, context: EncryptionContext): Promise<WrappedByKey> {
    return this.#ask(() => ({ keyId, wrapped: wrap(keyId, context, dataKey) }));
  }

  async unwrap(keyId: string, wrapped: Uint8Array, context: EncryptionContext): Promise<Buffer> {
    return this.#ask(() => unwrap(keyId, context, wrapped));
  }

  async probe(keyId: string, wrapped: Uint8Array, context: EncryptionContext): Promise<void> {
    await this.#ask(() => unwrap(keyId, context, wrapped));
  }

  async rewrap(
    from: { keyId: string; wrapped: Uint8Array; context: EncryptionContext },
    to: { keyId: string; context: EncryptionContext },
  ): Promise<WrappedByKey> {
    return this.#ask(() => ({
      keyId: to.keyId,
      wrapped: wrap(to.keyId, to.context, unwrap(from.keyId, from.context, from.wrapped)),
    }));
  }

  async #ask<T>(perform: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#world.schedule(1 + this.#world.random.fraction() * 8, () => {
        this.#machine.deliver(() => {
          if (this.#state.isDown) {
            reject(new KeyServiceUnavailableError('the simulated key service is down'));
            return;
          }
          try {
            resolve(perform());
          } catch (error) {
            reject(asError(error));
          }
        });
      });
    });
  }
}

function wrap(keyId: string, context: EncryptionContext, key: Uint8Array): Buffer {
  return Buffer.concat([mixed(keyId, context, key), digest(keyId, context, key)]);
}

function unwrap(keyId: string, context: EncryptionContext, wrapped: Uint8Array): Buffer {
  const key = mixed(keyId, context, wrapped.subarray(0, 32));
  if (!digest(keyId, context, key).equals(wrapped.subarray(32))) throw new KeyMismatchError('another context');
  return key;
}

function mixed(keyId: string, context: EncryptionContext, bytes: Uint8Array): Buffer {
  const mask = digest(keyId, context, Buffer.from('mask'));
  return Buffer.from(bytes.map((byte, index) => byte ^ (mask[index] ?? 0)));
}

function digest(keyId: string, context: EncryptionContext, bytes: Uint8Array): Buffer {
  const { deployment, organization, group, database } = context;
  return createHash('sha256')
    .update(JSON.stringify([keyId, deployment, organization, group, database]))
    .update(bytes)
    .digest();
}
