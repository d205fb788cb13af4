import type { DatabaseId } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { manifestName } from '../storage/object-names.js';
import { isFault } from '../storage/walk-objects.js';
import { completeBackups, readPart, readRecord, type BackedUpDatabase, type BackupRecord } from './backup-record.js';

/** The databases of the latest backup, asked for in the order of their manifests' names, as backups have them. */
export class PreviousBackup {
  readonly #runtime: Runtime;
  readonly #store: ObjectStore;
  readonly #record: BackupRecord;
  #part = 0;
  #databases: readonly BackedUpDatabase[] = [];
  #next = 0;

  private constructor(runtime: Runtime, store: ObjectStore, record: BackupRecord) {
    this.#runtime = runtime;
    this.#store = store;
    this.#record = record;
  }

  /** Undefined when there is none, or its record is damaged: then everything is copied anew. */
  static async latest(runtime: Runtime, store: ObjectStore): Promise<PreviousBackup | undefined> {
    const id = (await completeBackups(runtime, store)).at(-1);
    if (id === undefined) return undefined;
    const record = await readRecord(runtime, store, id).catch(unlessDamaged);
    return record && new PreviousBackup(runtime, store, record);
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
    const { id, parts } = this.#record;
    const digest = parts[this.#part];
    if (digest === undefined) return false;
    const part = await readPart(this.#runtime, this.#store, id, this.#part, digest).catch(unlessDamaged);
    // The databases of a damaged one are copied anew.
    this.#databases = part?.databases ?? [];
    this.#part += 1;
    this.#next = 0;
    return true;
  }
}

function unlessDamaged(error: unknown): undefined {
  if (!isFault(error)) throw error;
}
