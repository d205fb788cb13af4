import { createPublicKey, type KeyObject } from 'node:crypto';
import { ByocError } from '../errors/catalogue.js';
import { verificationKeysObject } from './claims.js';

/** A published key, ready to verify with. Two of the same name and bytes are interchangeable. */
export interface VerificationKey {
  readonly kid: string;
  /** Raw 32-byte Ed25519 public key, base64url without padding. */
  readonly publicKey: string;
  readonly key: KeyObject;
}

export interface ParsedKeySet {
  readonly version: number;
  readonly keys: ReadonlyMap<string, VerificationKey>;
}

/** Bounds of what a node is willing to read; the control plane publishes a handful of keys. */
const maxBytes = 256 * 1024;
const maxKeys = 1024;
const kidPattern = /^[\x21-\x7e]{1,128}$/;
const publicKeyPattern = /^[A-Za-z0-9_-]{43}$/;

/**
 * The key set in the bytes of `verificationKeysObject`. Whoever can write that object decides who may read every
 * database, so nothing in it is repaired or skipped: one bad entry refuses the whole set. Throws `STORE_FORMAT_UNKNOWN`
 * for a set of another release, `STORE_OBJECT_CORRUPT` for anything else that is not a key set.
 */
export function parseVerificationKeySet(body: Buffer): ParsedKeySet {
  if (body.length > maxBytes) throw corrupt(`it has ${body.length} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw corrupt('it is not JSON', error);
  }
  if (!isRecord(value)) throw corrupt('it is not an object');
  const { format, version, keys } = value;
  if (format !== 'turso-byoc/verification-keys/1') {
    if (typeof format === 'string' && format.startsWith('turso-byoc/verification-keys/')) {
      throw new ByocError('STORE_FORMAT_UNKNOWN', `${verificationKeysObject} has the unknown format ${quote(format)}`);
    }
    throw corrupt('it does not name its format');
  }
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1) {
    throw corrupt('its version is not a positive integer');
  }
  if (!Array.isArray(keys) || keys.length > maxKeys) throw corrupt(`it is not a list of at most ${maxKeys} keys`);
  const parsed = new Map<string, VerificationKey>();
  for (const entry of keys as unknown[]) {
    const key = parseKey(entry);
    if (parsed.has(key.kid)) throw corrupt(`the key id ${quote(key.kid)} occurs twice`);
    parsed.set(key.kid, key);
  }
  return { version, keys: parsed };
}

function parseKey(entry: unknown): VerificationKey {
  if (!isRecord(entry)) throw corrupt('a key is not an object');
  const { kid, algorithm, publicKey } = entry;
  if (typeof kid !== 'string' || !kidPattern.test(kid)) throw corrupt('a key has no usable id');
  if (algorithm !== 'Ed25519') throw corrupt(`the key ${quote(kid)} is not an Ed25519 key`);
  if (
    typeof publicKey !== 'string' ||
    !publicKeyPattern.test(publicKey) ||
    // The last character carries four bits of the key and two that must be zero: one key, one spelling.
    Buffer.from(publicKey, 'base64url').toString('base64url') !== publicKey
  ) {
    throw corrupt(`the key ${quote(kid)} is not 32 bytes in base64url`);
  }
  try {
    const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: publicKey } });
    return { kid, publicKey, key };
  } catch (error) {
    throw corrupt(`the key ${quote(kid)} cannot be used`, error);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Text from the object, fit for a log line. */
function quote(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}

function corrupt(why: string, cause?: unknown): ByocError {
  return new ByocError('STORE_OBJECT_CORRUPT', `${verificationKeysObject} is not a set of verification keys: ${why}`, {
    cause,
  });
}
