import { ByocError } from '../../errors/catalogue.js';
import type { NodeEpoch } from '../../identity.js';
import type { ObjectStore } from '../../object-store/object-store.js';
import type { Runtime } from '../../runtime.js';
import { conditionalWrite, readWithRetry } from '../conditional-write.js';
import { encodeLogObject, encodeSeal } from '../log-object.js';
import { logObjectName, logPrefix } from '../object-names.js';
import { lookAt } from './entry-index.js';
import { listPositions } from './list-positions.js';
import type { CreateOutcome, LogEntry, LogStore } from './log-store.js';

const absent = { ifAbsent: true } as const;

/** Logs in one object store: a position is an object, and the first create-if-absent decides what stands there. */
export class SingleLogStore implements LogStore {
  readonly #runtime: Runtime;
  readonly #store: ObjectStore;

  constructor(runtime: Runtime, store: ObjectStore) {
    this.#runtime = runtime;
    this.#store = store;
  }

  async begin(epoch: NodeEpoch): Promise<void> {
    const beginning = encodeLogObject([]).bytes;
    const written = await conditionalWrite(this.#runtime, this.#store, this.nameOf(epoch, 0), beginning, absent);
    if (!written.won) throw new Error(`the log of node epoch ${epoch} exists already`);
  }

  async create(epoch: NodeEpoch, position: number, bytes: Buffer): Promise<CreateOutcome> {
    const key = this.nameOf(epoch, position);
    const result = await this.#store.put(key, bytes, absent);
    if (result.won) return 'won';
    const current = await this.#store.get(key);
    return current?.body.equals(bytes) ? 'won' : 'lost';
  }

  async look(epoch: NodeEpoch, position: number): Promise<LogEntry | 'seal' | undefined> {
    const standing = await lookAt(this.nameOf(epoch, position), async (length) =>
      this.read(epoch, position, 0, length),
    );
    return typeof standing === 'object' ? { ...standing, needsCopy: false } : standing;
  }

  async seal(epoch: NodeEpoch, position: number, by: NodeEpoch): Promise<'sealed' | LogEntry> {
    const key = this.nameOf(epoch, position);
    const seal = await conditionalWrite(this.#runtime, this.#store, key, encodeSeal(by), absent);
    if (seal.won) return 'sealed';
    const entry = await this.look(epoch, position);
    if (entry === undefined) throw new ByocError('STORE_OBJECT_MISSING', `object ${key} appeared and vanished`);
    return entry === 'seal' ? 'sealed' : entry;
  }

  /** One bucket is all there is. */
  async preserve(): Promise<void> {
    return Promise.resolve();
  }

  async read(epoch: NodeEpoch, position: number, start: number, length: number): Promise<Buffer | undefined> {
    const key = this.nameOf(epoch, position);
    return readWithRetry(this.#runtime, key, () => this.#store.getRange(key, start, length));
  }

  async remove(epoch: NodeEpoch, position: number): Promise<void> {
    if (position > 0) await this.#store.delete(this.nameOf(epoch, position));
  }

  async positions(epoch: NodeEpoch): Promise<number[]> {
    return listPositions(this.#runtime, this.#store, logPrefix(epoch));
  }

  async lastPosition(epoch: NodeEpoch): Promise<number> {
    return (await this.positions(epoch)).at(-1) ?? 0;
  }

  nameOf(epoch: NodeEpoch, position: number): string {
    return logObjectName(epoch, position);
  }
}
