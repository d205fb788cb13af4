/**
 * A key of the local key service as a file: one line of JSON, then the 32 bytes of key material. The material is kept out
 * of the JSON so that it never becomes a string, which could not be wiped.
 */
import { createHash } from 'node:crypto';
import type { KeyState } from './key-service.js';

const format = 'turso-byoc/local-key/1';
export const materialBytes = 32;
/** No key file is longer. */
export const maxKeyFileBytes = 4096;

export interface KeyDescription {
  readonly id: string;
  readonly state: KeyState;
  readonly createdAtMs: number;
}

export interface LocalKey extends KeyDescription {
  /** Belongs to whoever parsed the file, who wipes it. */
  readonly material: Buffer;
}

/** The file is not a key file, or it was altered. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError';
}

const keyIdPattern = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;

/** Lower-case letters, digits and dashes, at most 64 characters. */
export function isLocalKeyId(id: string): boolean {
  return keyIdPattern.test(id);
}

const states: Record<KeyState, true> = { enabled: true, disabled: true, 'pending-deletion': true };

export function isKeyState(value: unknown): value is KeyState {
  return typeof value === 'string' && Object.hasOwn(states, value);
}

/** Tells altered material from a wrong context; 256 random bits cannot be guessed from their digest. */
function digestOf(id: string, material: Uint8Array): string {
  return createHash('sha256').update(`${format}\n${id}\n`).update(material).digest('hex');
}

/** The bytes of the file; the caller wipes them. */
export function encodeKeyFile(key: LocalKey): Buffer {
  const { id, state, createdAtMs, material } = key;
  const line = JSON.stringify({ format, id, state, createdAtMs, materialDigest: digestOf(id, material) });
  const bytes = Buffer.alloc(Buffer.byteLength(line) + 1 + materialBytes);
  const end = bytes.write(`${line}\n`);
  material.copy(bytes, end);
  return bytes;
}

/** The key in a file that should hold the key `id`. Throws `KeyFileError`. The material is a copy. */
export function parseKeyFile(bytes: Buffer, id: string): LocalKey {
  const newline = bytes.indexOf(0x0a);
  if (newline === -1 || bytes.length !== newline + 1 + materialBytes) {
    throw new KeyFileError(`the file of key ${id} is not one line and ${materialBytes} bytes`);
  }
  let line: unknown;
  try {
    line = JSON.parse(bytes.toString('utf8', 0, newline));
  } catch (error) {
    throw new KeyFileError(`the file of key ${id} does not begin with a line of JSON`, { cause: error });
  }
  const { format: found, id: named, state, createdAtMs, materialDigest } = fieldsOf(line);
  if (found !== format) throw new KeyFileError(`the file of key ${id} has an unknown format`);
  if (named !== id) throw new KeyFileError(`the file of key ${id} holds another key`);
  if (!isKeyState(state)) throw new KeyFileError(`the file of key ${id} has an unknown state`);
  if (typeof createdAtMs !== 'number' || Number.isNaN(new Date(createdAtMs).getTime()))
    throw new KeyFileError(`the file of key ${id} has no time of creation`);
  const material = Buffer.from(bytes.subarray(newline + 1));
  if (materialDigest !== digestOf(id, material)) {
    material.fill(0);
    throw new KeyFileError(`the material of key ${id} was altered`);
  }
  return { id, state, createdAtMs, material };
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
