/**
 * The form of small stored objects that must be readable without a key (manifests, name records, node records, recovery
 * records): one line with format and SHA-256 of the rest, then JSON. Truncation and bit flips are found before parsing,
 * wrong shapes before use.
 */
import { createHash } from 'node:crypto';
import { Ajv, type JSONSchemaType, type Schema, type ValidateFunction } from 'ajv';
import { ByocError } from '../errors/catalogue.js';

// A tuple may end in elements that can be left out.
const ajv = new Ajv({ strict: true, strictTuples: false, allErrors: false, allowUnionTypes: true });

export class StoredJson<T> {
  readonly #format: string;
  readonly #validate: ValidateFunction<T>;

  /** `format` names kind and version, for example `turso-byoc/manifest/1`. */
  constructor(format: string, schema: Schema | JSONSchemaType<T>) {
    this.#format = format;
    this.#validate = ajv.compile<T>(schema);
  }

  encode(value: T): Buffer {
    if (!this.#validate(value)) throw new Error(`${this.#format} to be stored has a wrong shape: ${this.#why()}`);
    const body = Buffer.from(JSON.stringify(value), 'utf8');
    return Buffer.concat([Buffer.from(`${this.#format} ${sha256Hex(body)}\n`, 'latin1'), body]);
  }

  /** Throws `STORE_OBJECT_CORRUPT` or `STORE_FORMAT_UNKNOWN`, naming `key`. */
  decode(key: string, bytes: Buffer): T {
    const end = bytes.subarray(0, 200).indexOf(0x0a);
    const [format, digest, ...rest] = bytes.toString('latin1', 0, Math.max(end, 0)).split(' ');
    if (end < 0 || digest === undefined || rest.length > 0) throw corrupt(key, 'it has no header line');
    const body = bytes.subarray(end + 1);
    if (sha256Hex(body) !== digest) throw corrupt(key, 'its content does not match its digest');
    if (format !== this.#format) {
      throw new ByocError(
        'STORE_FORMAT_UNKNOWN',
        `object ${key} has format ${String(format)}, expected ${this.#format}`,
      );
    }
    let value: unknown;
    try {
      value = JSON.parse(body.toString('utf8'));
    } catch (cause) {
      throw corrupt(key, 'it is not JSON', cause);
    }
    if (!this.#validate(value)) throw corrupt(key, this.#why());
    return value;
  }

  #why(): string {
    return ajv.errorsText(this.#validate.errors, { dataVar: 'it' });
  }
}

function corrupt(key: string, why: string, cause?: unknown): ByocError {
  return new ByocError('STORE_OBJECT_CORRUPT', `object ${key} is damaged: ${why}`, { cause });
}

function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
