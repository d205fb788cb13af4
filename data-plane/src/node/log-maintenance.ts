/**
 * Keeps logs from growing for ever: the own one while the node lives, those of ended epochs afterwards. Put together here
 * for the node core; nothing in it runs while there is nothing to do.
 */
import type { DatabaseId, NodeEpoch } from '../identity.js';
import { LogCollector, type LogCollectorOptions } from '../ownership/log-collector.js';
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
  readonly settings: LogMaintenanceSettings;
  readonly report: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** How long logs may grow, and how fast they are put in order. */
export interface LogMaintenanceSettings {
  readonly upkeep: LogUpkeepLimits;
  readonly collection: Pick<LogCollectorOptions, 'pace' | 'delayMs' | 'retryMs'>;
}

export class LogMaintenance {
  readonly #upkeep: LogUpkeep;
  readonly #collector: LogCollector;

  constructor(options: LogMaintenanceOptions) {
    const { epoch, stores, manifests, record, log, unfolded, livingNodes, settle, settings, report } = options;
    const mark = new LowWaterMark({ epoch, stores, record, log, unfolded });
    this.#upkeep = new LogUpkeep({ epoch, stores, log, unfolded, mark, limits: settings.upkeep, report });
    this.#collector = new LogCollector({
      ...stores,
      ...settings.collection,
      manifests,
      own: epoch,
      isMine: (ended) => preferredNode(ended, [...livingNodes(), epoch]) === epoch,
      settle,
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

  /**
   * Before the epoch drains or ends: its mark and its packs stay as they are from when this resolves. Nothing more is begun
   * in the logs of others; what runs there may go on.
   */
  async freeze(): Promise<void> {
    void this.#collector.stop();
    await this.#upkeep.stop();
  }

  /** Resolves when nothing runs any more. */
  async stop(): Promise<void> {
    await Promise.all([this.#upkeep.stop(), this.#collector.stop()]);
  }
}
