/**
 * What storing the latest objects of the commit log took. One object holds commits of many requests, and is written in
 * nobody's name: each trace that waited for it gets a copy of what is remembered here.
 */
import type { AsyncLocalStorage } from 'node:async_hooks';
import type { NodeEpoch } from '../identity.js';
import type { Runtime } from '../runtime.js';
import type { CreateOutcome, LogStore } from '../storage/log-store/log-store.js';
import { failureOf } from './failure-of.js';
import type { PastWork, TraceSpan, WorkKeeper } from './trace-span.js';

/** Objects that are remembered: far more than are on their way at a time. */
const mostRemembered = 64;
/** Requests to stores that are remembered of one object; more come only when a store fails again and again. */
const mostRequests = 16;

interface Write {
  readonly startMs: number;
  readonly bytes: number;
  endMs: number;
  attempts: number;
  failure: string | undefined;
  readonly requests: PastWork[];
}

export class LogWrites {
  readonly #runtime: Pick<Runtime, 'monotonicMs'>;
  readonly #present: AsyncLocalStorage<WorkKeeper>;
  /** By position, oldest first. */
  readonly #writes = new Map<number, Write>();

  /** `present` says whose work runs. */
  constructor(runtime: Pick<Runtime, 'monotonicMs'>, present: AsyncLocalStorage<WorkKeeper>) {
    this.#runtime = runtime;
    this.#present = present;
  }

  /** The store as the commit log of this node writes to it. */
  through(store: Pick<LogStore, 'create'>): Pick<LogStore, 'create'> {
    return { create: async (epoch, position, bytes) => this.#create(store, epoch, position, bytes) };
  }

  /** Adds the write of a position to what waited for it. */
  addTo(span: TraceSpan, position: number): void {
    const write = this.#writes.get(position);
    if (!write) return;
    const { startMs, endMs, bytes, attempts, failure, requests } = write;
    const attributes = { 'turso.log.position': position, 'turso.log.bytes': bytes, 'turso.log.attempts': attempts };
    const written = span.past({ name: 'log write', startMs, endMs, attributes, failure });
    for (const request of requests) written?.past(request);
  }

  async #create(
    store: Pick<LogStore, 'create'>,
    epoch: NodeEpoch,
    position: number,
    bytes: Buffer,
  ): Promise<CreateOutcome> {
    const write = this.#begin(position, bytes.length);
    write.attempts += 1;
    const keeper: WorkKeeper = {
      past: (work) => {
        if (write.requests.length < mostRequests) write.requests.push(work);
        return undefined;
      },
    };
    try {
      const outcome = await this.#present.run(keeper, async () => store.create(epoch, position, bytes));
      write.failure = outcome === 'won' ? undefined : outcome;
      return outcome;
    } catch (error) {
      write.failure = failureOf(error);
      throw error;
    } finally {
      write.endMs = this.#runtime.monotonicMs();
    }
  }

  #begin(position: number, bytes: number): Write {
    const known = this.#writes.get(position);
    if (known) return known;
    const startMs = this.#runtime.monotonicMs();
    const write: Write = { startMs, bytes, endMs: startMs, attempts: 0, failure: undefined, requests: [] };
    this.#writes.set(position, write);
    if (this.#writes.size > mostRemembered) {
      const [oldest] = this.#writes.keys();
      if (oldest !== undefined) this.#writes.delete(oldest);
    }
    return write;
  }
}
