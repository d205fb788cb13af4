import type { OpenedInEngine } from '../engine/pool/engine-pool.js';
import type { EnginePlace } from '../engine/pool/engines.js';

/** The database where it is open in an engine process. */
export interface Session {
  readonly slot: EnginePlace;
  readonly opened: OpenedInEngine;
  readonly directoryName: string;
  readonly stay: EngineStay;
}

/** One stay of a database in one engine process, from before it is open until it leaves. */
export class EngineStay {
  /** Why the engine lost the database, if that happened before it was open. */
  lost: string | undefined;
  onLost: (reason: string) => void = (reason) => (this.lost = reason);
  onRetiring: (isFree: boolean) => void = () => (this.retiring = true);
  /** The engine process waits for the database to leave it: requests that belong to no stream wait for the next stay. */
  retiring = false;
  /** Folds the engine's local WAL up to a commit into its local file. Set when the database is open. */
  checkpoint: ((commit: number) => Promise<boolean>) | undefined;
  /** Resolves when the stay is over. */
  readonly over: Promise<void>;
  #end: () => void = () => undefined;
  /** Bytes that the local WAL has grown by since it was last folded. */
  #walBytes = 0;
  #checkpointing = false;

  constructor() {
    this.over = new Promise<void>((resolve) => (this.#end = resolve));
  }

  /** The local WAL has grown. */
  grown(bytes: number): void {
    this.#walBytes += bytes;
  }

  /**
   * Keeps the local WAL below `walBytes`, about; durability does not depend on it. Throws when the engine process does not
   * fold it, most often because it has ended, and its WAL with it.
   */
  async checkpointIfDue(commit: number, walBytes: number): Promise<void> {
    if (this.#walBytes < walBytes || this.#checkpointing) return;
    this.#checkpointing = true;
    const before = this.#walBytes;
    try {
      if (await this.checkpoint?.(commit)) this.#walBytes -= before;
    } finally {
      this.#checkpointing = false;
    }
  }

  /** Whoever waits for the next stay looks for it now. */
  end(): void {
    this.retiring = false;
    this.#end();
  }
}
