/**
 * The traces of one process. It exists only where a collector is configured: everything that works for requests asks for it
 * with `?.`, and makes nothing when it is not there.
 *
 * A request's span goes along with the request. Stores and the key service do not see requests: what they are asked for is
 * put below the span whose work runs, which the platform remembers across `await` (`AsyncLocalStorage`). Work that goes on
 * when its span is over belongs to nobody. Work that no request waits for has a trace of its own.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { KeyUse } from '../keys/key-service.js';
import type { StoreRequest } from '../metering/counting-object-store.js';
import type { Runtime } from '../runtime.js';
import { failureOf } from './failure-of.js';
import { LogWrites } from './log-writes.js';
import { Sampling } from './sampling.js';
import type { PastWork, SpanAttributes, SpanRole, TraceSpan, WorkKeeper } from './trace-span.js';
import { formatTraceparent, parseTraceparent, type TraceParent } from './traceparent.js';

/** One span as a library keeps it. Times are milliseconds since 1970. */
export interface LibrarySpan {
  readonly id: TraceParent;
  set(attributes: SpanAttributes): void;
  fail(failure: string): void;
  end(timeMs: number): void;
}

/** Makes spans, and brings them away. */
export interface SpanLibrary {
  begin(
    name: string,
    role: SpanRole | 'server',
    startMs: number,
    parent: TraceParent | undefined,
    attributes: SpanAttributes,
  ): LibrarySpan;
  /** Brings away what there is; resolves when it is gone, or was given up. Never rejects. */
  flush(): Promise<void>;
}

export interface TracedRequest {
  readonly kind: string;
  /** The header `traceparent`. */
  readonly traceparent: string | undefined;
  readonly requestId: string | undefined;
  readonly isForwarded: boolean;
}

type TracingRuntime = Pick<Runtime, 'nowMs' | 'monotonicMs' | 'randomFraction' | 'schedule'>;

/** Longer than this nobody who stops waits for a collector. */
const flushMs = 1_000;

export class Tracing {
  readonly #runtime: TracingRuntime;
  readonly #library: SpanLibrary;
  readonly #sampling: Sampling;
  readonly #present = new AsyncLocalStorage<WorkKeeper>();
  readonly logWrites: LogWrites;

  /** `share` of the requests that say nothing of a trace is traced. */
  constructor(runtime: TracingRuntime, library: SpanLibrary, share: number) {
    this.#runtime = runtime;
    this.#library = library;
    this.#sampling = new Sampling(runtime, share);
    this.logWrites = new LogWrites(runtime, this.#present);
  }

  /** The span of a request that has come; undefined when it is not traced. */
  begin({ kind, traceparent, requestId, isForwarded }: TracedRequest): TraceSpan | undefined {
    const parent = parseTraceparent(traceparent);
    if (!this.#sampling.takes(parent, isForwarded)) return undefined;
    const monotonicMs = this.#runtime.monotonicMs();
    const offsetMs = this.#runtime.nowMs() - monotonicMs;
    const span = this.#library.begin(kind, 'server', monotonicMs + offsetMs, parent, {
      'turso.request.kind': kind,
      'turso.request.id': requestId,
      'turso.request.forwarded': isForwarded,
    });
    return new Span(this.#shared, span, offsetMs);
  }

  /** The span whose work runs, unless it is over. */
  current(): TraceSpan | undefined {
    const present = this.#present.getStore();
    return present instanceof Span && !present.isOver ? present : undefined;
  }

  /** The span of work that no request waits for, in a trace of its own; undefined when it is not traced. */
  beginOwn(name: string, attributes: SpanAttributes): TraceSpan | undefined {
    if (!this.#sampling.takes(undefined, false)) return undefined;
    const monotonicMs = this.#runtime.monotonicMs();
    const offsetMs = this.#runtime.nowMs() - monotonicMs;
    const span = this.#library.begin(name, 'internal', monotonicMs + offsetMs, undefined, attributes);
    return new Span(this.#shared, span, offsetMs);
  }

  /** Does work as a part of the span whose work runs, if there is one; `work` is given the span of the part. */
  async part<T>(
    name: string,
    attributes: SpanAttributes,
    work: (span: TraceSpan | undefined) => Promise<T>,
  ): Promise<T> {
    const span = this.current()?.child(name, attributes);
    return span ? this.during(span, work) : work(undefined);
  }

  /** Does work as this span, which is over then; without one, as a part of no trace, whatever span's work runs. */
  async during<T>(span: TraceSpan | undefined, work: (span: TraceSpan | undefined) => Promise<T>): Promise<T> {
    if (!span) return this.#present.exit(async () => work(undefined));
    try {
      return await span.run(async () => work(span));
    } catch (error) {
      span.fail(failureOf(error));
      throw error;
    } finally {
      span.end();
    }
  }

  storeRequestEnded(store: string, request: StoreRequest): void {
    const { operation, objects, outcome, durationMs, sentBytes, receivedBytes } = request;
    const isFailed = outcome === 'unavailable' || outcome === 'unknown' || outcome === 'failed';
    this.#ended(`store ${operation}`, durationMs, isFailed ? outcome : undefined, {
      'turso.store': store,
      'turso.store.objects': objects,
      'turso.store.outcome': outcome,
      'turso.store.sent_bytes': sentBytes,
      'turso.store.received_bytes': receivedBytes,
    });
  }

  keyUsed({ operation, outcome, durationMs }: KeyUse): void {
    const failure = outcome === 'done' ? undefined : outcome;
    this.#ended(`key ${operation}`, durationMs, failure, { 'turso.key.outcome': outcome });
  }

  /** Brings away what there is, as far as that takes a moment. */
  async stop(): Promise<void> {
    let cancel = (): void => undefined;
    const late = new Promise<void>((resolve) => (cancel = this.#runtime.schedule(flushMs, resolve)));
    await Promise.race([this.#library.flush(), late]);
    cancel();
  }

  #ended(name: string, durationMs: number, failure: string | undefined, attributes: SpanAttributes): void {
    const present = this.#present.getStore();
    if (!present) return;
    const endMs = this.#runtime.monotonicMs();
    present.past({ name, role: 'client', startMs: endMs - durationMs, endMs, attributes, failure });
  }

  get #shared(): Shared {
    return { runtime: this.#runtime, library: this.#library, present: this.#present, logWrites: this.logWrites };
  }
}

interface Shared {
  readonly runtime: TracingRuntime;
  readonly library: SpanLibrary;
  readonly present: AsyncLocalStorage<WorkKeeper>;
  readonly logWrites: LogWrites;
}

class Span implements TraceSpan {
  readonly #shared: Shared;
  readonly #span: LibrarySpan;
  /** From the monotonic clock to the wall clock, the same for all of a request. */
  readonly #offsetMs: number;
  isOver = false;

  constructor(shared: Shared, span: LibrarySpan, offsetMs: number) {
    this.#shared = shared;
    this.#span = span;
    this.#offsetMs = offsetMs;
  }

  get traceId(): string {
    return this.#span.id.traceId;
  }

  get traceparent(): string {
    return formatTraceparent(this.#span.id);
  }

  child(name: string, attributes: SpanAttributes = {}, role: SpanRole = 'internal'): TraceSpan | undefined {
    if (this.isOver) return undefined;
    return this.#begin(name, role, this.#shared.runtime.monotonicMs(), attributes);
  }

  past({ name, startMs, endMs, attributes, role = 'internal', failure }: PastWork): TraceSpan | undefined {
    if (this.isOver) return undefined;
    const span = this.#begin(name, role, startMs, attributes);
    if (failure !== undefined) span.fail(failure);
    span.#span.end(endMs + this.#offsetMs);
    return span;
  }

  logWrite(position: number): void {
    this.#shared.logWrites.addTo(this, position);
  }

  set(attributes: SpanAttributes): void {
    if (!this.isOver) this.#span.set(attributes);
  }

  fail(failure: string): void {
    if (!this.isOver) this.#span.fail(failure);
  }

  run<T>(work: () => T): T {
    return this.#shared.present.run(this, work);
  }

  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#span.end(this.#shared.runtime.monotonicMs() + this.#offsetMs);
  }

  #begin(name: string, role: SpanRole, startMs: number, attributes: SpanAttributes): Span {
    const span = this.#shared.library.begin(name, role, startMs + this.#offsetMs, this.#span.id, attributes);
    return new Span(this.#shared, span, this.#offsetMs);
  }
}
