import { isByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { manifestName } from '../storage/object-names.js';
import { completeBackups, readPart, readRecord, type BackedUpDatabase, type BackupRecord } from './backup-record.js';

/** The databases of the latest backup, asked for in the order of their manifests' names, as backups have them. */
export class PreviousBackup {
  readonly #runtime: Runtime;
  readonly #store: ObjectStore;
  readonly #record: BackupRecord | undefined;
  #part = 0;
  #databases: readonly BackedUpDatabase[] = [];
  #next = 0;

  private constructor(runtime: Runtime, store: ObjectStore, record: BackupRecord | undefined) {
    this.#runtime = runtime;
    this.#store = store;
    this.#record = record;
  }

  /** Without a latest backup, or one that can be read, everything is copied anew. */
  static async open(runtime: Runtime, store: ObjectStore, id: string | undefined): Promise<PreviousBackup> {
    return new PreviousBackup(runtime, store, id === undefined ? undefined : await readRecord(runtime, store, id));
  }

  static async latest(runtime: Runtime, store: ObjectStore): Promise<PreviousBackup> {
    return PreviousBackup.open(runtime, store, (await completeBackups(runtime, store)).at(-1));
  }

  /** What the backup has of a database; what it has before that one is passed over. */
  async find(id: DatabaseId): Promise<BackedUpDatabase | undefined> {
    const wanted = manifestName(id);
    for (;;) {
      for (; this.#next < this.#databases.length; this.#next++) {
        const database = this.#databases[this.#next] as BackedUpDatabase;
        const name = manifestName(database.id);
        if (name === wanted) return database;
        if (name > wanted) return undefined;
      }
      if (!(await this.#nextPart())) return undefined;
    }
  }

  async #nextPart(): Promise<boolean> {
    const record = this.#record;
    const digest = record?.parts[this.#part];
    if (!record || digest === undefined) return false;
    try {
      this.#databases = (await readPart(this.#runtime, this.#store, record.id, this.#part, digest)).databases;
    } catch (error) {
      // Then the databases in it are copied anew.
      if (!isByocError(error) || error.code === 'STORE_UNAVAILABLE') throw error;
      this.#databases = [];
    }
    this.#part += 1;
    this.#next = 0;
    return true;
  }
}
