/**
 * Keeps logs from growing for ever: the own one while the node lives, those of ended epochs afterwards. Put together here
 * for the node core; nothing in it runs while there is nothing to do.
 */
import type { DatabaseId, NodeEpoch } from '../identity.js';
import type { CollectionPace } from '../ownership/collect-log.js';
import { LogCollector } from '../ownership/log-collector.js';
import { LogUpkeep, type LogUpkeepLimits } from '../ownership/log-upkeep.js';
import { LowWaterMark, type MarkRecord } from '../ownership/low-water-mark.js';
import { preferredNode } from '../ownership/placement.js';
import type { UnfoldedLog } from '../ownership/unfolded-log.js';
import type { ManifestStore } from '../storage/manifest-store.js';
import type { TailStores } from '../storage/tail.js';

export interface LogMaintenanceOptions {
  readonly epoch: NodeEpoch;
  readonly stores: TailStores;
  readonly manifests: Pick<ManifestStore, 'read'>;
  readonly record: MarkRecord;
  readonly log: { readonly acknowledgedPosition: number };
  readonly unfolded: UnfoldedLog;
  /** The other nodes that live. */
  readonly livingNodes: () => readonly NodeEpoch[];
  /** See `Settling`. */
  readonly settle: (database: DatabaseId) => Promise<void>;
  readonly report: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

const mebibyte = 2 ** 20;

/**
 * 512 log objects are walked in a few hundred milliseconds. The bytes stay below what is kept of the log in memory, so that
 * packs are made from memory.
 */
const upkeepLimits: LogUpkeepLimits = {
  maxRetainedPositions: 512,
  maxRetainedBytes: 48 * mebibyte,
  maxPackBytes: 32 * mebibyte,
  fanOut: 8,
};

const collectionPace: CollectionPace = { looksPerSecond: 50, settlesPerSecond: 2, graceMs: 120_000 };
const collectionDelayMs = 30_000;
const collectionRetryMs = 3_600_000;

export class LogMaintenance {
  readonly #upkeep: LogUpkeep;
  readonly #collector: LogCollector;

  constructor(options: LogMaintenanceOptions) {
    const { epoch, stores, manifests, record, log, unfolded, livingNodes, settle, report } = options;
    const mark = new LowWaterMark({ epoch, stores, record, log, unfolded });
    this.#upkeep = new LogUpkeep({ epoch, stores, log, unfolded, mark, limits: upkeepLimits, report });
    this.#collector = new LogCollector({
      ...stores,
      manifests,
      own: epoch,
      isMine: (ended) => preferredNode(ended, [...livingNodes(), epoch]) === epoch,
      settle,
      pace: collectionPace,
      delayMs: collectionDelayMs,
      retryMs: collectionRetryMs,
      report,
    });
  }

  /** To be called after every log object that was stored. */
  onStored(object: { readonly position: number; readonly bytes: number }): void {
    this.#upkeep.onStored(object);
  }

  /** To be called, `soon`, at the start, and when an epoch has ended. */
  lookForEndedLogs(when: { readonly soon?: boolean } = {}): void {
    this.#collector.look(when);
  }

  /** Before the epoch drains or ends: its mark stays where it is, and its packs stay, from when this resolves. */
  async stop(): Promise<void> {
    await Promise.all([this.#upkeep.stop(), this.#collector.stop()]);
  }
}
