/**
 * Collects the logs of ended epochs in the background, a few requests at a time. It looks when the node has started, when
 * an epoch is known to have ended, and again, rarely, while a database could not be settled; otherwise it does nothing.
 */
import type { DatabaseId, NodeEpoch } from '../identity.js';
import { collectLog, type CollectionPace, type CollectorStores } from './collect-log.js';
import { readRecoveryRecord } from './recovery-record.js';
import { uncollectedEpochs } from './uncollected-logs.js';

export interface LogCollectorOptions extends CollectorStores {
  readonly own: NodeEpoch;
  /** Which of the living nodes collects the log of an ended epoch: this one? So that not all of them do. */
  readonly isMine: (ended: NodeEpoch) => boolean;
  /** See `Settling`. */
  readonly settle: (database: DatabaseId) => Promise<void>;
  readonly pace: CollectionPace;
  /** From the end of an epoch to the first look, at least; as much again at random. */
  readonly delayMs: number;
  /** From a round that left something undone to the next. */
  readonly retryMs: number;
  readonly report: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

export class LogCollector {
  readonly #options: LogCollectorOptions;
  #cancelTimer: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #isWanted = false;
  #isStopped = false;

  constructor(options: LogCollectorOptions) {
    this.#options = options;
  }

  /** To be called, `soon`, when the node has started, and whenever an epoch has ended or the living nodes have changed. */
  look({ soon = false } = {}): void {
    this.#isWanted = true;
    const { delayMs, runtime } = this.#options;
    if (!this.#running) this.#schedule(soon ? 0 : delayMs * (1 + runtime.randomFraction()));
  }

  /** Resolves when it does nothing any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    await this.#running;
  }

  #schedule(ms: number): void {
    if (this.#isStopped) return;
    this.#cancelTimer?.();
    this.#cancelTimer = this.#options.runtime.schedule(ms, () => {
      this.#cancelTimer = undefined;
      this.#isWanted = false;
      this.#running = this.#round().then((isDone) => {
        this.#running = undefined;
        if (this.#isWanted) this.look();
        else if (!isDone) this.#schedule(this.#options.retryMs);
      });
    });
  }

  /** Returns whether nothing is left that this node could do later. */
  async #round(): Promise<boolean> {
    const { runtime, dataStore, own, isMine, report } = this.#options;
    let isDone = true;
    try {
      for (const epoch of await uncollectedEpochs(runtime, dataStore)) {
        if (this.#isStopped) return true;
        if (epoch === own || !isMine(epoch)) continue;
        isDone = (await this.#collect(epoch)) && isDone;
      }
      return isDone;
    } catch (error) {
      report('logs of ended epochs could not be listed', { error: String(error) });
      return false;
    }
  }

  async #collect(epoch: NodeEpoch): Promise<boolean> {
    const { runtime, dataStore, pace, settle, report } = this.#options;
    try {
      const record = await readRecoveryRecord(runtime, dataStore, epoch);
      // It lives, or somebody is recovering it and says so when it has ended.
      if (!record) return true;
      return await collectLog(this.#options, record, pace, {
        settle,
        onUnsettled: (database, error) => {
          report('database keeps the log of an ended epoch', { database, epoch, error: String(error) });
        },
        isStopped: () => this.#isStopped,
      });
    } catch (error) {
      report('log of an ended epoch could not be collected', { epoch, error: String(error) });
      return false;
    }
  }
}
