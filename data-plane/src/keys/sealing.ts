/**
 * Sealing: everything of a database that leaves a node is encrypted and authenticated under the database's data key,
 * and bound to the one place where it belongs.
 *
 * AES-256-GCM. The key of a message is derived from the data key for one (object kind, term); the nonce is random. The
 * associated data names deployment, database, object kind, term and position, so that an object read through a wrong
 * path, database, generation or position fails to open. It never names the container (a log object, a bundle): sealed
 * bytes can be copied between containers without the key.
 *
 * Sealed bytes: u8 version, u32 number of the data key in the database's ring, 12 bytes nonce, ciphertext, 16 bytes tag.
 */
import { createCipheriv, createDecipheriv, createHmac, type CipherGCM } from 'node:crypto';
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { Runtime } from '../runtime.js';
import { atOnce, stepBytes, type Work } from '../turns.js';
import { deriveKey } from './derive-key.js';

export type SealedKind = 'fragment' | 'segment' | 'generation' | 'segment-list' | 'archive-index';

/** What is not longer, a segment for example, is opened in one step: no copy has to be made of its parts. */
const mostOpenedAtOnce = 2 * stepBytes;

/** Where sealed bytes belong. Two different places never have equal positions. */
export interface SealedPosition {
  readonly kind: SealedKind;
  readonly term: number;
  /** What identifies the object within kind and term, for example [generation, segment index]. */
  readonly numbers: readonly number[];
  /** Digest of the predecessor, for chained kinds. */
  readonly previous?: Uint8Array;
}

/** A database that another one was branched from, and what opens its objects; absent where no key of it is left. */
export interface Ancestor {
  readonly database: DatabaseId;
  readonly sealer?: Sealer | undefined;
}

/** A database's data keys by their number. Who made the sealer may add a key, and make it the current one, at any moment. */
export interface DataKeyRing {
  /** New objects are sealed under this one. */
  readonly current: number;
  readonly keys: ReadonlyMap<number, Buffer>;
}

const version = 1;
const numberOffset = 1;
const headerBytes = numberOffset + 4 + 12;
const tagBytes = 16;
/** How much longer sealed bytes are than their plaintext. */
export const sealingOverheadBytes = headerBytes + tagBytes;
/** What `dataKeyNumberOf` needs of sealed bytes, from their start. */
export const sealedHeadBytes = headerBytes;

/** Number of the data key that bytes are sealed under; of bytes that are no sealed ones some number. */
export function dataKeyNumberOf(sealed: Uint8Array): number {
  return new DataView(sealed.buffer, sealed.byteOffset, sealed.byteLength).getUint32(numberOffset, true);
}

export class Sealer {
  readonly #runtime: Runtime;
  readonly #ring: DataKeyRing;
  readonly #identity: Buffer;
  /** The database whose objects it seals and opens. */
  readonly database: DatabaseId;
  /**
   * The line of branches that leads to the database, the oldest first and itself last. Stored references name the
   * database that an object belongs to by its place in the line, which is the same for all that share it.
   */
  readonly line: readonly DatabaseId[];
  readonly #ancestors: readonly Ancestor[];
  readonly #derived = new Map<string, Buffer>();
  #isWiped = false;

  /** `ancestors`: the databases that this one was branched from, the oldest first; they are wiped with this one. */
  constructor(
    runtime: Runtime,
    deployment: string,
    database: DatabaseId,
    ring: DataKeyRing,
    ancestors: readonly Ancestor[] = [],
  ) {
    this.#runtime = runtime;
    this.#ring = ring;
    this.database = database;
    this.#ancestors = ancestors;
    this.line = [...ancestors.map((ancestor) => ancestor.database), database];
    this.#identity = Buffer.concat([
      lengthPrefixed('turso-byoc/sealed/1'),
      lengthPrefixed(deployment),
      lengthPrefixed(database),
    ]);
  }

  /** Number of the data key that new objects are sealed under. */
  get currentKey(): number {
    return this.#ring.current;
  }

  /** The place of the database itself in its line. */
  get source(): number {
    return this.line.length - 1;
  }

  /** What opens the objects of a database of the line. Throws `STORE_OBJECT_CORRUPT` naming `where` when there is none. */
  at(source: number, where: string): Sealer {
    const sealer = source === this.source ? this : this.#ancestors[source]?.sealer;
    if (sealer) return sealer;
    throw new ByocError(
      'STORE_OBJECT_CORRUPT',
      `database ${this.database} has no key for ${where}, which belongs to ancestor ${source} of ${this.source}`,
    );
  }

  /** The same by the database's id. */
  of(database: DatabaseId, where: string): Sealer {
    return this.at(this.line.indexOf(database), where);
  }

  seal(position: SealedPosition, plaintext: Uint8Array): Buffer {
    const sealed = Buffer.allocUnsafe(plaintext.byteLength + sealingOverheadBytes);
    atOnce(this.sealInto(sealed, 0, position, [plaintext]));
    return sealed;
  }

  /**
   * Seals the parts as one plaintext into `target` from `offset` on. The key is taken by this call: the work that it
   * returns is done to its end even when the keys are wiped meanwhile, so that nobody else's bytes depend on that.
   */
  sealInto(target: Buffer, offset: number, position: SealedPosition, parts: readonly Uint8Array[]): Work<void> {
    const number = this.#ring.current;
    const nonce = this.#runtime.randomBytes(12);
    target.writeUInt8(version, offset);
    target.writeUInt32LE(number, offset + numberOffset);
    nonce.copy(target, offset + 5);
    const cipher = createCipheriv('aes-256-gcm', this.#key(number, position), nonce);
    cipher.setAAD(this.#associatedData(position, number));
    return encrypt(cipher, parts, target, offset + headerBytes);
  }

  /**
   * The plaintext. Throws `STORE_OBJECT_CORRUPT` when the bytes were altered or belong to another place; `object`, where
   * they were read, is then named.
   */
  open(position: SealedPosition, sealed: Uint8Array, object?: string): Buffer {
    return atOnce(this.opening(position, sealed, object));
  }

  /** `open`, in steps. */
  *opening(position: SealedPosition, sealed: Uint8Array, object?: string): Work<Buffer> {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
    if (bytes.length < sealingOverheadBytes || bytes.readUInt8(0) !== version) throw this.#refuse(position, object);
    const number = dataKeyNumberOf(bytes);
    const decipher = createDecipheriv(
      'aes-256-gcm',
      this.#key(number, position, object),
      bytes.subarray(5, headerBytes),
      {
        authTagLength: tagBytes,
      },
    );
    decipher.setAAD(this.#associatedData(position, number));
    decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes));
    const ciphertext = bytes.subarray(headerBytes, bytes.length - tagBytes);
    let plaintext: Buffer;
    if (ciphertext.length <= mostOpenedAtOnce) {
      plaintext = decipher.update(ciphertext);
      yield ciphertext.length;
    } else {
      plaintext = Buffer.allocUnsafe(ciphertext.length);
      for (let at = 0; at < ciphertext.length; at += stepBytes) {
        decipher.update(ciphertext.subarray(at, at + stepBytes)).copy(plaintext, at);
        yield stepBytes;
      }
    }
    try {
      decipher.final();
    } catch (cause) {
      throw this.#refuse(position, object, cause);
    }
    return plaintext;
  }

  /** Whether the database still has this data key. */
  hasKey(number: number): boolean {
    return this.#ring.keys.has(number);
  }

  /**
   * The first `length` bytes of an HMAC-SHA-256 of `content` that only who holds the data key can make, for this deployment,
   * database and purpose. The database must have the key.
   */
  authenticate(number: number, purpose: 'revision', content: Uint8Array, length: number): Buffer {
    const key = this.#derivedKey(number, `code/${purpose}`);
    if (!key) throw new Error(`database ${this.database} has no data key ${number}`);
    return createHmac('sha256', key).update(this.#identity).update(content).digest().subarray(0, length);
  }

  /** Overwrites what was derived from a data key that is leaving the ring. */
  forget(number: number): void {
    for (const [label, key] of this.#derived) {
      if (!label.startsWith(`${number}/`)) continue;
      key.fill(0);
      this.#derived.delete(label);
    }
  }

  /** Overwrites the derived keys; nothing can be sealed or opened after it. The ring belongs to the caller. */
  wipe(): void {
    this.#isWiped = true;
    for (const key of this.#derived.values()) key.fill(0);
    this.#derived.clear();
    for (const { sealer } of this.#ancestors) sealer?.wipe();
  }

  #key(number: number, position: SealedPosition, object?: string): Buffer {
    const derived = this.#derivedKey(number, `${position.kind}/${position.term}`);
    if (!derived) throw this.#refuse(position, object);
    return derived;
  }

  /** The key for one use of a data key; undefined when the database has no such data key. */
  #derivedKey(number: number, use: string): Buffer | undefined {
    if (this.#isWiped) throw new Error(`the keys of database ${this.database} were wiped`);
    const label = `${number}/${use}`;
    let derived = this.#derived.get(label);
    if (!derived) {
      const dataKey = this.#ring.keys.get(number);
      if (!dataKey) return undefined;
      derived = deriveKey(dataKey, this.database, use, 32);
      this.#derived.set(label, derived);
    }
    return derived;
  }

  #associatedData(position: SealedPosition, keyNumber: number): Buffer {
    const { kind, term, previous } = position;
    // The count stands before the numbers, so that a number can never be read as a part of what follows.
    const numbers = [keyNumber, term, position.numbers.length, ...position.numbers];
    const encoded = Buffer.allocUnsafe(numbers.length * 8);
    numbers.forEach((value, index) => encoded.writeBigUInt64LE(BigInt(value), index * 8));
    return Buffer.concat([this.#identity, lengthPrefixed(kind), encoded, previous ?? Buffer.alloc(0)]);
  }

  #refuse(position: SealedPosition, object: string | undefined, cause?: unknown): ByocError {
    const bytes = object === undefined ? 'sealed bytes' : `sealed bytes in object ${object}`;
    const place = `${position.kind} ${position.numbers.join('/')} of term ${position.term}, database ${this.database}`;
    return new ByocError('STORE_OBJECT_CORRUPT', `${bytes} were altered or do not belong to ${place}`, { cause });
  }
}

function* encrypt(cipher: CipherGCM, parts: readonly Uint8Array[], target: Buffer, offset: number): Work<void> {
  let end = offset;
  for (const part of parts) {
    for (let at = 0; at < part.byteLength; at += stepBytes) {
      const piece = cipher.update(part.subarray(at, at + stepBytes));
      end += piece.copy(target, end);
      yield piece.length;
    }
  }
  cipher.final();
  cipher.getAuthTag().copy(target, end);
}

function lengthPrefixed(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
}
