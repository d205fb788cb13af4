/**
 * Backups into one store are taken one after the other: what one of them deletes, another may rely on. Whoever takes one
 * keeps saying so; when that has not changed for a minute its turn is over.
 */
import { ByocError } from '../errors/catalogue.js';
import type { ETag, ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite, readWithRetry } from '../storage/conditional-write.js';
import { StoredJson } from '../storage/stored-json.js';
import { backupTurnName } from './backup-names.js';

const beatMs = 10_000;
const silenceMs = 60_000;
const lookMs = 5_000;

interface TurnRecord {
  /** Absent when nobody takes a backup. */
  readonly holder?: string;
  readonly beat: number;
}

const storedTurn = new StoredJson<TurnRecord>('turso-byoc/backup-turn/1', {
  type: 'object',
  properties: { holder: { type: 'string' }, beat: { type: 'integer', minimum: 0 } },
  required: ['beat'],
  additionalProperties: false,
});

type Found = { readonly record: TurnRecord; readonly etag: ETag } | undefined;

export class BackupTurn {
  readonly #runtime: Runtime;
  readonly #store: ObjectStore;
  readonly #holder: string;
  #held: NonNullable<Found>;
  #cancelBeat: () => void = () => undefined;
  #beating: Promise<void> = Promise.resolve();
  #failure: Error | undefined;

  private constructor(runtime: Runtime, store: ObjectStore, holder: string, held: NonNullable<Found>) {
    this.#runtime = runtime;
    this.#store = store;
    this.#holder = holder;
    this.#held = held;
    this.#beatLater();
  }

  /** Waits until nobody else takes a backup. Throws `BACKUP_RUNNING` when somebody does. */
  static async take(runtime: Runtime, store: ObjectStore): Promise<BackupTurn> {
    const holder = runtime.randomBytes(8).toString('hex');
    const first = await read(runtime, store);
    let found = first;
    const since = runtime.monotonicMs();
    while (found?.record.holder !== undefined && runtime.monotonicMs() - since < silenceMs) {
      await runtime.sleep(lookMs);
      found = await read(runtime, store);
      if (found?.record.holder !== undefined && found.record.beat !== first?.record.beat) {
        throw new ByocError('BACKUP_RUNNING', 'another backup into the same store is being taken');
      }
    }
    const held = await write(runtime, store, { holder, beat: (found?.record.beat ?? 0) + 1 }, found);
    if (!held) throw new ByocError('BACKUP_RUNNING', 'another backup into the same store has just begun');
    return new BackupTurn(runtime, store, holder, held);
  }

  /** Throws `BACKUP_RUNNING` when the turn was lost, and what the store throws. */
  async assertHeld(): Promise<void> {
    this.#cancelBeat();
    await this.#beating;
    if (this.#failure) throw this.#failure;
    await this.#beat();
    this.#beatLater();
  }

  async release(): Promise<void> {
    this.#cancelBeat();
    await this.#beating;
    if (!this.#failure) await write(this.#runtime, this.#store, { beat: this.#held.record.beat + 1 }, this.#held);
  }

  async #beat(): Promise<void> {
    const record = { holder: this.#holder, beat: this.#held.record.beat + 1 };
    const held = await write(this.#runtime, this.#store, record, this.#held);
    if (!held) throw new ByocError('BACKUP_RUNNING', 'another backup has begun, because this one did not go on');
    this.#held = held;
  }

  #beatLater(): void {
    this.#cancelBeat = this.#runtime.schedule(beatMs, () => {
      this.#beating = this.#beat().then(
        () => this.#beatLater(),
        (error: unknown) => {
          this.#failure = error instanceof Error ? error : new Error(String(error));
        },
      );
    });
  }
}

async function read(runtime: Runtime, store: ObjectStore): Promise<Found> {
  const object = await readWithRetry(runtime, backupTurnName, () => store.get(backupTurnName));
  return object && { record: storedTurn.decode(backupTurnName, object.body), etag: object.etag };
}

async function write(runtime: Runtime, store: ObjectStore, record: TurnRecord, base: Found): Promise<Found> {
  const condition = base ? { ifMatch: base.etag } : ({ ifAbsent: true } as const);
  const written = await conditionalWrite(runtime, store, backupTurnName, storedTurn.encode(record), condition);
  return written.won ? { record, etag: written.etag } : undefined;
}
