import type { DatabaseId } from '../identity.js';
import type { Runtime } from '../runtime.js';
import { failureOf } from '../tracing/failure-of.js';
import type { TraceSpan } from '../tracing/trace-span.js';
import type { Tracing } from '../tracing/tracing.js';

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

interface OpeningContext {
  readonly runtime: Pick<Runtime, 'monotonicMs'>;
  readonly observer?: NodeObserver;
  readonly tracing?: Tracing | undefined;
}

/** Opens a database, and tells the observer how that went. */
export async function observedOpening<T extends { readonly storeReads: number }>(
  { runtime, observer, tracing }: OpeningContext,
  id: DatabaseId,
  open: () => Promise<T>,
): Promise<T> {
  const startedMs = runtime.monotonicMs();
  const trace: TraceSpan | undefined = tracing?.current()?.child('database open', { 'turso.database.id': id });
  try {
    const opened = await (trace ? trace.run(open) : open());
    observer?.databaseOpened?.('done', runtime.monotonicMs() - startedMs, opened.storeReads);
    trace?.set({ 'turso.store.reads': opened.storeReads });
    return opened;
  } catch (error) {
    trace?.fail(failureOf(error));
    observer?.databaseOpened?.('failed', runtime.monotonicMs() - startedMs, 0);
    throw error;
  } finally {
    trace?.end();
  }
}
