import type { NodeEpoch } from '../../identity.js';
import type { CreateOutcome, LogEntry, LogStore } from './log-store.js';

/**
 * A log store with the latest own entries kept in memory: what a node logs it soon reads again, to fold it or to reopen a
 * database. Everything else passes through.
 *
 * Sound because an entry is created once and never replaced: what this process has won is what the store holds.
 */
export class RecentEntries implements LogStore {
  readonly #store: LogStore;
  readonly #maxBytes: number;
  /** By name, oldest first. */
  readonly #entries = new Map<string, Buffer>();
  #bytes = 0;

  constructor(store: LogStore, maxBytes: number) {
    this.#store = store;
    this.#maxBytes = maxBytes;
  }

  async begin(epoch: NodeEpoch): Promise<void> {
    await this.#store.begin(epoch);
  }

  async create(epoch: NodeEpoch, position: number, bytes: Buffer): Promise<CreateOutcome> {
    const outcome = await this.#store.create(epoch, position, bytes);
    if (outcome === 'won') this.#keep(this.nameOf(epoch, position), bytes);
    return outcome;
  }

  async look(epoch: NodeEpoch, position: number): Promise<LogEntry | 'seal' | undefined> {
    return this.#store.look(epoch, position);
  }

  async seal(epoch: NodeEpoch, position: number, by: NodeEpoch): Promise<'sealed' | LogEntry> {
    return this.#store.seal(epoch, position, by);
  }

  async preserve(epoch: NodeEpoch, position: number): Promise<void> {
    await this.#store.preserve(epoch, position);
  }

  async read(epoch: NodeEpoch, position: number, start: number, length: number): Promise<Buffer | undefined> {
    const kept = this.#entries.get(this.nameOf(epoch, position));
    return kept?.subarray(start, start + length) ?? this.#store.read(epoch, position, start, length);
  }

  async remove(epoch: NodeEpoch, position: number): Promise<void> {
    this.#forget(this.nameOf(epoch, position));
    await this.#store.remove(epoch, position);
  }

  async positions(epoch: NodeEpoch): Promise<number[]> {
    return this.#store.positions(epoch);
  }

  async lastPosition(epoch: NodeEpoch): Promise<number | undefined> {
    return this.#store.lastPosition(epoch);
  }

  nameOf(epoch: NodeEpoch, position: number): string {
    return this.#store.nameOf(epoch, position);
  }

  #keep(name: string, bytes: Buffer): void {
    if (bytes.length > this.#maxBytes || this.#entries.has(name)) return;
    this.#entries.set(name, bytes);
    this.#bytes += bytes.length;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#forget(oldest);
    }
  }

  #forget(name: string): void {
    this.#bytes -= this.#entries.get(name)?.length ?? 0;
    this.#entries.delete(name);
  }
}
