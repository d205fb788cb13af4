/**
 * Name records: organization and database name → database UUID, one namespace for host labels. A record changes only by
 * If-Match and is never deleted: after a database is gone its name points to nothing until it is used again.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { DatabaseAddress } from '../naming/host-label.js';
import type { ETag, ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite, readWithRetry } from './conditional-write.js';
import { FormatLevel } from './format-level.js';
import { nameRecordName } from './object-names.js';
import { StoredJson } from './stored-json.js';

interface NameRecord {
  readonly version: number;
  readonly organization: string;
  readonly name: string;
  readonly database: DatabaseId | null;
  /** True once the manifest of that database is stored; from then on it can only be missing because it was lost. */
  readonly created: boolean;
}

/** Who has a name. */
export interface NamedDatabase {
  readonly id: DatabaseId;
  readonly isCreated: boolean;
}

interface VersionedNameRecord {
  readonly record: NameRecord;
  readonly etag: ETag;
}

const storedNameRecord = new StoredJson<NameRecord>('turso-byoc/name/1', {
  type: 'object',
  properties: {
    version: { type: 'integer', minimum: 0 },
    organization: { type: 'string' },
    name: { type: 'string' },
    database: { type: ['string', 'null'], pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' },
    created: { type: 'boolean' },
  },
  required: ['version', 'organization', 'name', 'database', 'created'],
  additionalProperties: false,
});

export class NameStore {
  readonly #runtime: Runtime;
  readonly #store: ObjectStore;
  readonly #formats: FormatLevel;

  /** `formats`: what may be written; the oldest versions by default. */
  constructor(runtime: Runtime, store: ObjectStore, formats = new FormatLevel()) {
    this.#runtime = runtime;
    this.#store = store;
    this.#formats = formats;
  }

  /** The database that has this name, or undefined. */
  async lookUp(address: DatabaseAddress): Promise<NamedDatabase | undefined> {
    const record = (await this.#read(address))?.record;
    return record?.database ? { id: record.database, isCreated: record.created } : undefined;
  }

  /**
   * Gives the name to a database. Returns the database that has it now: `id`, or another one that was faster. A record that
   * names the database already is written once more: what was begun before and is still on its way to it then comes too late.
   */
  async take(address: DatabaseAddress, id: DatabaseId): Promise<NamedDatabase> {
    for (;;) {
      const found = await this.#read(address);
      const holder = found?.record.database ?? id;
      const isCreated = found?.record.database ? found.record.created : false;
      if (holder !== id) return { id: holder, isCreated };
      if (await this.#write(address, { database: id, created: isCreated }, found)) return { id, isCreated };
    }
  }

  /**
   * Gives the name to a database whose manifest is stored. Returns the database that has it now. It begins with the write,
   * and so costs one request where the name was never used.
   */
  async takeCreated(address: DatabaseAddress, id: DatabaseId): Promise<DatabaseId> {
    for (let found: VersionedNameRecord | undefined; ; found = await this.#read(address)) {
      const holder = found?.record.database;
      if (holder && (holder !== id || found?.record.created === true)) return holder;
      if (await this.#write(address, { database: id, created: true }, found)) return id;
    }
  }

  /** Notes that the manifest of the database is stored; nothing happens when another one has the name. */
  async confirm(address: DatabaseAddress, id: DatabaseId): Promise<void> {
    for (;;) {
      const found = await this.#read(address);
      if (found?.record.database !== id || found.record.created) return;
      if (await this.#write(address, { database: id, created: true }, found)) return;
    }
  }

  /**
   * Gives the name to a database that was brought back: whatever takes it away began with an older record, or finds the
   * database there. Returns the database that has it now.
   */
  async takeBack(address: DatabaseAddress, id: DatabaseId): Promise<DatabaseId> {
    for (;;) {
      const found = await this.#read(address);
      const holder = found?.record.database ?? id;
      if (holder !== id) return holder;
      if (await this.#write(address, { database: id, created: true }, found)) return id;
    }
  }

  /**
   * Takes the name away from a database that `isDeleted`, which is asked after the record was read: whoever brings it back
   * writes the record once more afterwards. Whether the database has it no more.
   */
  async release(address: DatabaseAddress, id: DatabaseId, isDeleted: () => Promise<boolean>): Promise<boolean> {
    for (;;) {
      const found = await this.#read(address);
      if (found?.record.database !== id) return true;
      if (!(await isDeleted())) return false;
      if (await this.#write(address, { database: null, created: false }, found)) return true;
    }
  }

  async #read({ organization, database }: DatabaseAddress): Promise<VersionedNameRecord | undefined> {
    const key = nameRecordName(organization, database);
    const object = await readWithRetry(this.#runtime, key, () => this.#store.get(key));
    if (!object) return undefined;
    const record = storedNameRecord.decode(key, object.body, this.#formats);
    if (record.organization !== organization || record.name !== database) {
      throw new ByocError('STORE_OBJECT_CORRUPT', `object ${key} is the record of another name`);
    }
    return { record, etag: object.etag };
  }

  async #write(
    { organization, database: name }: DatabaseAddress,
    holder: Pick<NameRecord, 'database' | 'created'>,
    base: VersionedNameRecord | undefined,
  ): Promise<boolean> {
    const record = { version: (base?.record.version ?? 0) + 1, organization, name, ...holder };
    const condition = base ? { ifMatch: base.etag } : { ifAbsent: true as const };
    const key = nameRecordName(organization, name);
    const body = storedNameRecord.encode(record, this.#formats.current);
    return (await conditionalWrite(this.#runtime, this.#store, key, body, condition)).won;
  }
}
