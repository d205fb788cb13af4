/**
 * Keeps the log of a living epoch short. When what the log retains above the low-water mark has grown past a bound, by
 * positions (a recoverer walks them one by one) or by bytes, what is still unfolded of it is copied into packs, and the
 * mark rises. Small packs are merged into larger ones.
 *
 * Nothing runs but after a log object was stored, or again after a failure: an idle node has no timer here. An epoch that
 * drains or ends calls `stop` first: manifests and its recovery record name positions and packs of it from then on.
 */
import type { NodeEpoch } from '../identity.js';
import { packOf, type FragmentLocation } from '../storage/log-location.js';
import { packedBytes } from '../storage/pack.js';
import { repack, type PackSource } from '../storage/repack.js';
import type { TailStores } from '../storage/tail.js';
import type { LowWaterMark } from './low-water-mark.js';
import { PackLevels } from './pack-levels.js';
import type { UnfoldedLog } from './unfolded-log.js';

export interface LogUpkeepLimits {
  /** So many log objects above the mark, or bytes in them, are more than are kept. */
  readonly maxRetainedPositions: number;
  readonly maxRetainedBytes: number;
  /** A pack is not made larger, unless one fragment alone is. */
  readonly maxPackBytes: number;
  /** So many groups of packs of one level are merged into one. */
  readonly fanOut: number;
}

export interface LogUpkeepOptions {
  readonly epoch: NodeEpoch;
  readonly stores: TailStores;
  readonly log: { readonly acknowledgedPosition: number };
  readonly unfolded: UnfoldedLog;
  readonly mark: LowWaterMark;
  readonly limits: LogUpkeepLimits;
  readonly report: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** The least time between two rounds, and from a failed one to the next. */
const leastSpacingMs = 1_000;
const afterFailureMs = 5_000;

export class LogUpkeep {
  readonly #options: LogUpkeepOptions;
  readonly #levels: PackLevels;
  /** Sizes of the stored log objects from the mark up. */
  readonly #retained = new Map<number, number>();
  #retainedBytes = 0;
  #nextPack = 1;
  #running: Promise<void> | undefined;
  #notBeforeMs = -Infinity;
  #cancelTimer: (() => void) | undefined;
  #isStopped = false;

  constructor(options: LogUpkeepOptions) {
    this.#options = options;
    this.#levels = new PackLevels(options.limits.fanOut);
  }

  /** To be called after every log object that was stored. */
  onStored({ position, bytes }: { readonly position: number; readonly bytes: number }): void {
    this.#retained.set(position, bytes);
    this.#retainedBytes += bytes;
    this.#runIfDue();
  }

  /** Ends it for good; when this resolves nothing more is packed, deleted or written to the node record. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    await this.#running;
  }

  #hasStopped(): boolean {
    return this.#isStopped;
  }

  get #isDue(): boolean {
    const { log, mark, limits } = this.#options;
    return (
      log.acknowledgedPosition - mark.position > limits.maxRetainedPositions ||
      this.#retainedBytes > limits.maxRetainedBytes
    );
  }

  #runIfDue(): void {
    if (this.#running || this.#cancelTimer || this.#isStopped || !this.#isDue) return;
    const { runtime } = this.#options.stores;
    const waitMs = Math.max(0, this.#notBeforeMs - runtime.monotonicMs());
    this.#cancelTimer = runtime.schedule(waitMs, () => {
      this.#cancelTimer = undefined;
      if (!this.#isStopped) this.#running = this.#run().finally(() => (this.#running = undefined));
    });
  }

  async #run(): Promise<void> {
    const { stores, report } = this.#options;
    const { runtime } = stores;
    let spacingMs = leastSpacingMs;
    try {
      await this.#round();
    } catch (error) {
      report('log upkeep failed', { error: String(error) });
      spacingMs = afterFailureMs;
    }
    this.#notBeforeMs = runtime.monotonicMs() + spacingMs;
    if (spacingMs === afterFailureMs) this.#retry();
  }

  /** Without waiting for the next commit: the epoch may be idle, and its log too long. */
  #retry(): void {
    if (this.#isStopped) return;
    this.#cancelTimer = this.#options.stores.runtime.schedule(afterFailureMs, () => {
      this.#cancelTimer = undefined;
      this.#runIfDue();
    });
  }

  async #round(): Promise<void> {
    const { unfolded, mark } = this.#options;
    if (this.#isPackingDue()) {
      const packs: number[] = [];
      try {
        await this.#pack((location) => packOf(location) === undefined, packs);
      } finally {
        this.#levels.add(0, packs);
      }
    }
    this.#levels.keep(unfolded.packs());
    for (let due = this.#levels.due(); due && !this.#hasStopped(); due = this.#levels.due()) {
      await this.#merge(due.level, due.packs);
    }
    if (this.#hasStopped()) return;
    await mark.raise();
    this.#forgetBelow(mark.position);
    if (this.#hasStopped()) return;
    await mark.deleteBelow();
  }

  /** Half of what is retained would stay if the mark rose by itself. */
  #isPackingDue(): boolean {
    const { log, unfolded, limits } = this.#options;
    const from = unfolded.lowestPosition();
    if (from === undefined) return false;
    let bytes = 0;
    for (const [position, size] of this.#retained) if (position >= from) bytes += size;
    return log.acknowledgedPosition - from > limits.maxRetainedPositions / 2 || bytes > limits.maxRetainedBytes / 2;
  }

  async #merge(level: number, packs: ReadonlySet<number>): Promise<void> {
    const made: number[] = [];
    try {
      await this.#pack((location) => packs.has(packOf(location) ?? 0), made);
      this.#levels.merged(level, made);
    } catch (error) {
      // What was moved already is as new as the level that it came from.
      this.#levels.add(level, made);
      throw error;
    }
  }

  /** Copies what lies at the chosen locations into new packs, and says so in the list of unfolded fragments. */
  async #pack(isChosen: (location: FragmentLocation) => boolean, made: number[]): Promise<void> {
    const { epoch, stores, unfolded, mark, limits } = this.#options;
    for (const sources of packsOf(chosen(unfolded, isChosen), limits.maxPackBytes)) {
      if (this.#hasStopped()) return;
      const number = this.#nextPack++;
      mark.packIsWritten(number);
      const { repacked } = await repack(stores, epoch, number, sources);
      // After the end of the epoch its recovery record names what lay where before.
      if (this.#hasStopped()) return;
      for (const { source, location } of repacked) {
        unfolded.relocate(source.database, source.term, new Set(source.locations), location);
      }
      made.push(number);
    }
  }

  #forgetBelow(position: number): void {
    for (const [stored, bytes] of this.#retained) {
      if (stored >= position) continue;
      this.#retained.delete(stored);
      this.#retainedBytes -= bytes;
    }
  }
}

/** Of every database what is chosen; sorted by database. */
function chosen(unfolded: UnfoldedLog, isChosen: (location: FragmentLocation) => boolean): PackSource[] {
  const sources: PackSource[] = [];
  for (const { database, term, fragments, foldedCommit } of unfolded.databases()) {
    const locations = fragments.filter(isChosen);
    if (locations.length > 0) sources.push({ database, term, locations, foldedCommit });
  }
  return sources.sort((a, b) => (a.database < b.database ? -1 : 1));
}

/** Divides sources into packs, in order; a database may be divided between two. */
function* packsOf(sources: readonly PackSource[], maxBytes: number): Generator<readonly PackSource[]> {
  let pack: PackSource[] = [];
  let packBytes = 0;
  for (const source of sources) {
    let locations: FragmentLocation[] = [];
    const close = (): void => {
      if (locations.length > 0) pack.push({ ...source, locations });
      locations = [];
    };
    for (const location of source.locations) {
      const bytes = packedBytes(location[2]);
      if (packBytes > 0 && packBytes + bytes > maxBytes) {
        close();
        yield pack;
        pack = [];
        packBytes = 0;
      }
      locations.push(location);
      packBytes += bytes;
    }
    close();
  }
  if (pack.length > 0) yield pack;
}
