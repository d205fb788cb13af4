import type { Runtime } from '../runtime.js';

/** Told of what happens on a node, for whoever counts. Nothing here may throw, and nothing is waited for. */
export interface NodeObserver {
  /** A database was brought from the store into an engine process; `reads`: requests to data and log store for its content. */
  databaseOpened?(outcome: 'done' | 'failed', durationMs: number, reads: number): void;
  folded?(outcome: 'done' | 'failed', durationMs: number): void;
  /** Garbage of a database was looked for. */
  collected?(outcome: 'done' | 'failed'): void;
  objectsDeleted?(count: number): void;
  /** A request was passed on to another node; `refused`: that one did not take it. */
  forwarded?(outcome: 'done' | 'refused' | 'failed'): void;
  leaseRenewed?(outcome: 'won' | 'lost' | 'unknown' | 'refused'): void;
  /** The epoch ended against its will. */
  fenced?(): void;
}

/** Opens a database, and tells the observer how that went. */
export async function observedOpening<T extends { readonly storeReads: number }>(
  { runtime, observer }: { readonly runtime: Pick<Runtime, 'monotonicMs'>; readonly observer?: NodeObserver },
  open: () => Promise<T>,
): Promise<T> {
  const startedMs = runtime.monotonicMs();
  try {
    const opened = await open();
    observer?.databaseOpened?.('done', runtime.monotonicMs() - startedMs, opened.storeReads);
    return opened;
  } catch (error) {
    observer?.databaseOpened?.('failed', runtime.monotonicMs() - startedMs, 0);
    throw error;
  }
}
