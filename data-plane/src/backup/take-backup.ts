/**
 * Takes one backup: the deployment as its successors would find it if all its nodes were lost now. Nodes go on meanwhile;
 * each database is copied as it stands at a moment of its own, with every commit that was acknowledged before the backup
 * began.
 *
 * A backup counts from when its record is stored, last. Objects that were copied by a run that was cut off are taken over by
 * the next one.
 */
import { ByocError, isByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { readWithRetry } from '../storage/conditional-write.js';
import { listKeys } from '../storage/list-keys.js';
import type { Manifest, Pin } from '../storage/manifest.js';
import { ManifestStore } from '../storage/manifest-store.js';
import { formatLevelName } from '../storage/object-names.js';
import { backUpDatabase, type BackedUp, type BackUpInput } from './back-up-database.js';
import { backupId } from './backup-names.js';
import { claimForBackups, originOf } from './backup-origin.js';
import {
  writePart,
  writeRecord,
  type BackedUpDatabase,
  type BackupRecord,
  type CopiedObject,
} from './backup-record.js';
import { BackupTurn } from './backup-turn.js';
import { LoggedByEpochs, type LoggedStores } from './logged-by-epochs.js';
import { PreviousBackup } from './previous-backup.js';

export interface TakeBackupInput extends LoggedStores {
  readonly controlStore: ObjectStore;
  readonly destination: ObjectStore;
  /** Copies everything anew, also what the previous backup is said to have. */
  readonly isFull: boolean;
  readonly progress: (databases: number) => void;
  readonly report: (database: DatabaseId, fault: string) => void;
}

export interface BackupSummary {
  readonly id: string;
  readonly databases: number;
  readonly unchanged: number;
  readonly damaged: number;
  readonly copiedObjects: number;
  readonly copiedBytes: number;
}

const parallelDatabases = 16;
const databasesPerPart = 256;

/**
 * Throws `STORE_MISCONFIGURED` when the source holds no deployment, or the destination backups of another one,
 * `BACKUP_RUNNING`, and `STORE_UNAVAILABLE`.
 */
export async function takeBackup(input: TakeBackupInput): Promise<BackupSummary> {
  const { runtime, dataStore, destination } = input;
  const origin = await originOf(runtime, dataStore);
  await claimForBackups(runtime, destination, origin);
  const turn = await BackupTurn.take(runtime, destination);
  try {
    return await new BackupRun(input, origin.deployment, turn).run();
  } finally {
    await turn.release();
  }
}

class BackupRun {
  readonly #input: TakeBackupInput;
  readonly #deployment: string;
  readonly #turn: BackupTurn;
  readonly #startedAtMs: number;
  readonly #id: string;
  readonly #logged: LoggedByEpochs;
  readonly #parts: string[] = [];
  /** Pins that copied manifests have, and those that copied branches need: `child/attempt`. */
  readonly #pins = new Set<string>();
  readonly #neededPins = new Map<string, DatabaseId>();
  readonly #summary = { databases: 0, unchanged: 0, damaged: 0, copiedObjects: 0, copiedBytes: 0 };

  constructor(input: TakeBackupInput, deployment: string, turn: BackupTurn) {
    this.#input = input;
    this.#deployment = deployment;
    this.#turn = turn;
    this.#startedAtMs = input.runtime.nowMs();
    this.#id = backupId(this.#startedAtMs, input.runtime.randomBytes(4).toString('hex'));
    this.#logged = new LoggedByEpochs(input);
  }

  async run(): Promise<BackupSummary> {
    const { runtime, dataStore, destination, controlStore, isFull } = this.#input;
    const formatLevel = await copied(this.#input, dataStore, formatLevelName);
    if (!formatLevel) throw new ByocError('STORE_OBJECT_MISSING', `object ${formatLevelName} is missing`);
    const control = await this.#everything(controlStore);
    await this.#logged.lookAtMembers();
    const previous = isFull ? undefined : await PreviousBackup.latest(runtime, destination);
    await this.#copyAll(previous);
    const again = await this.#copyParentsAgain();
    await this.#turn.assertHeld();
    const { databases } = this.#summary;
    const record: BackupRecord = {
      id: this.#id,
      deployment: this.#deployment,
      startedAtMs: this.#startedAtMs,
      completedAtMs: runtime.nowMs(),
      databases,
      parts: this.#parts,
      again,
      formatLevel,
      control,
    };
    await writeRecord(runtime, destination, record);
    return { id: this.#id, ...this.#summary };
  }

  async #copyAll(previous: PreviousBackup | undefined): Promise<void> {
    const { runtime, dataStore, progress } = this.#input;
    let part: BackedUpDatabase[] = [];
    let batch: { id: DatabaseId; before: BackedUpDatabase | undefined }[] = [];
    const copyBatch = async (): Promise<void> => {
      const results = await Promise.all(batch.map(async ({ id, before }) => this.#copy(id, before)));
      part.push(...results.flatMap((result) => result ?? []));
      batch = [];
      progress(this.#summary.databases);
    };
    for await (const id of new ManifestStore(runtime, dataStore).list()) {
      batch.push({ id, before: await previous?.find(id) });
      if (batch.length === parallelDatabases) await copyBatch();
      if (part.length >= databasesPerPart) {
        await this.#store(part);
        part = [];
      }
    }
    await copyBatch();
    if (part.length > 0) await this.#store(part);
  }

  /** A parent that was copied before it had the pin of a branch: restored like that it would let go what the branch needs. */
  async #copyParentsAgain(): Promise<DatabaseId[]> {
    const parents = new Set<DatabaseId>();
    for (const [pin, parent] of this.#neededPins) if (!this.#pins.has(pin)) parents.add(parent);
    const again: BackedUpDatabase[] = [];
    for (const parent of parents) again.push(...((await this.#copy(parent, undefined)) ?? []));
    this.#summary.databases -= again.length;
    if (again.length > 0) await this.#store(again);
    return again.map(({ id }) => id);
  }

  /** Empty when nothing can be said of the database. */
  async #copy(id: DatabaseId, before: BackedUpDatabase | undefined): Promise<[BackedUpDatabase] | undefined> {
    const summary = this.#summary;
    const input: BackUpInput = { ...this.#input, logged: this.#logged };
    let result: BackedUp;
    try {
      result = await backUpDatabase(input, id, before);
    } catch (error) {
      if (!isByocError(error) || error.code === 'STORE_UNAVAILABLE') throw error;
      summary.damaged += 1;
      this.#input.report(id, error.message);
      return undefined;
    }
    const { database, manifest, faults, isUnchanged, copiedObjects, copiedBytes } = result;
    for (const fault of faults) this.#input.report(id, fault);
    summary.databases += 1;
    summary.unchanged += isUnchanged ? 1 : 0;
    summary.damaged += faults.length > 0 ? 1 : 0;
    summary.copiedObjects += copiedObjects;
    summary.copiedBytes += copiedBytes;
    this.#notePins(manifest);
    return [database];
  }

  #notePins({ id, pins = [], parent, collected }: Manifest): void {
    const nameOf = ({ child, attempt }: Pick<Pin, 'child' | 'attempt'>): string => `${child}/${attempt}`;
    for (const pin of pins) this.#pins.add(nameOf(pin));
    if (parent && parent.released !== true && collected !== true) {
      this.#neededPins.set(nameOf({ child: id, attempt: parent.attempt }), parent.database);
    }
  }

  async #store(databases: readonly BackedUpDatabase[]): Promise<void> {
    const { runtime, destination } = this.#input;
    this.#parts.push(await writePart(runtime, destination, this.#id, this.#parts.length, { databases }));
  }

  async #everything(store: ObjectStore): Promise<CopiedObject[]> {
    const objects: CopiedObject[] = [];
    for await (const key of listKeys(this.#input.runtime, store, '')) {
      const object = await copied(this.#input, store, key);
      if (object) objects.push(object);
    }
    return objects;
  }
}

async function copied(
  { runtime }: Pick<TakeBackupInput, 'runtime'>,
  store: ObjectStore,
  key: string,
): Promise<CopiedObject | undefined> {
  const object = await readWithRetry(runtime, key, () => store.get(key));
  return object && { key, body: object.body.toString('base64') };
}
