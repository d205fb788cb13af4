/**
 * The form of small stored objects that must be readable without a key (manifests, name records, node records, recovery
 * records): one line with format and SHA-256 of the rest, then JSON. Truncation and bit flips are found before parsing,
 * wrong shapes before use.
 *
 * A kind may have several versions. All are read; the newest that the deployment's format level allows is written.
 */
import { createHash } from 'node:crypto';
import { Ajv, type JSONSchemaType, type Schema, type ValidateFunction } from 'ajv';
import { ByocError } from '../errors/catalogue.js';
import { oldestFormatLevel, type FormatLevel } from './format-level.js';

// A tuple may end in elements that can be left out.
const ajv = new Ajv({ strict: true, strictTuples: false, allErrors: false, allowUnionTypes: true });

/** One version of a kind of stored object. `T`: what the newest one holds. */
export interface StoredVersion<T> {
  /** Kind and version, for example `turso-byoc/manifest/2`. */
  readonly format: string;
  /** The format level from which it is written. */
  readonly level: number;
  /** Of what is stored. */
  readonly schema: Schema | JSONSchemaType<T>;
  /** What this version stores of a value. @default all of it */
  readonly toStored?: (value: T) => object;
  /** The value that something stored in this version stands for. @default that itself */
  readonly fromStored?: (stored: T) => T;
}

/** A version and what checks its shape, which is compiled when it is first needed: a process uses few of all kinds. */
class CheckedVersion<T> {
  readonly version: StoredVersion<T>;
  #validate: ValidateFunction<T> | undefined;

  constructor(version: StoredVersion<T>) {
    this.version = version;
  }

  isOfShape(value: unknown): value is T {
    this.#validate ??= ajv.compile<T>(this.version.schema);
    return this.#validate(value);
  }

  /** Why the last value was not of this shape. */
  get why(): string {
    return ajv.errorsText(this.#validate?.errors, { dataVar: 'it' });
  }
}

export class StoredJson<T> {
  /** The newest one first. */
  readonly #versions: readonly CheckedVersion<T>[];

  /** A kind with one version, or all the versions of one. */
  constructor(format: string, schema: Schema | JSONSchemaType<T>);
  constructor(versions: readonly StoredVersion<T>[]);
  constructor(first: string | readonly StoredVersion<T>[], schema: Schema | JSONSchemaType<T> = {}) {
    const versions = typeof first === 'string' ? [{ format: first, level: oldestFormatLevel, schema }] : first;
    this.#versions = versions.toSorted((a, b) => b.level - a.level).map((version) => new CheckedVersion(version));
  }

  /** `level`: the deployment's format level as far as the writer knows it. */
  encode(value: T, level: number = oldestFormatLevel): Buffer {
    const checked = this.#versions.find(({ version }) => version.level <= level);
    if (!checked) throw new Error(`${this.#known()} is not written at format level ${level}`);
    const { version } = checked;
    const stored: unknown = version.toStored ? version.toStored(value) : value;
    if (!checked.isOfShape(stored)) {
      throw new Error(`${version.format} to be stored has a wrong shape: ${checked.why}`);
    }
    const body = Buffer.from(JSON.stringify(stored), 'utf8');
    return Buffer.concat([Buffer.from(`${version.format} ${sha256Hex(body)}\n`, 'latin1'), body]);
  }

  /**
   * Throws `STORE_OBJECT_CORRUPT` or `STORE_FORMAT_UNKNOWN`, naming `key`. `formats` learns the level that the version
   * found belongs to, so that whoever replaces the object does not write an older one.
   */
  decode(key: string, bytes: Buffer, formats?: FormatLevel): T {
    const end = bytes.subarray(0, 200).indexOf(0x0a);
    const [format, digest, ...rest] = bytes.toString('latin1', 0, Math.max(end, 0)).split(' ');
    if (end < 0 || digest === undefined || rest.length > 0) throw corrupt(key, 'it has no header line');
    const body = bytes.subarray(end + 1);
    if (sha256Hex(body) !== digest) throw corrupt(key, 'its content does not match its digest');
    const checked = this.#versions.find(({ version }) => version.format === format);
    if (!checked) {
      throw new ByocError(
        'STORE_FORMAT_UNKNOWN',
        `object ${key} has format ${String(format)}, expected ${this.#known()}`,
      );
    }
    let stored: unknown;
    try {
      stored = JSON.parse(body.toString('utf8'));
    } catch (cause) {
      throw corrupt(key, 'it is not JSON', cause);
    }
    if (!checked.isOfShape(stored)) throw corrupt(key, checked.why);
    const { version } = checked;
    formats?.learn(version.level);
    return version.fromStored ? version.fromStored(stored) : stored;
  }

  #known(): string {
    return this.#versions.map(({ version }) => version.format).join(' or ');
  }
}

function corrupt(key: string, why: string, cause?: unknown): ByocError {
  return new ByocError('STORE_OBJECT_CORRUPT', `object ${key} is damaged: ${why}`, { cause });
}

function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
