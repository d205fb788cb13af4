/**
 * What a trace shows of the work for one request. Attributes say which and how much: never SQL, parameters, keys, tokens or
 * names that clients choose.
 */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** `client`: somebody else was asked to do it. */
export type SpanRole = 'internal' | 'client';

/** Work that is over. Times are of the monotonic clock, in milliseconds. */
export interface PastWork {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: SpanAttributes;
  /** @default internal */
  readonly role?: SpanRole;
  /** Why it failed: a word of a small set, or a code of the catalogue. */
  readonly failure?: string | undefined;
}

/** Takes note of work that is over. */
export interface WorkKeeper {
  past(work: PastWork): WorkKeeper | undefined;
}

export interface TraceSpan extends WorkKeeper {
  readonly traceId: string;
  /** What whoever does work for it is told: the value of the header `traceparent`. */
  readonly traceparent: string;
  /** Begins work that is a part of this; undefined when this is over. */
  child(name: string, attributes?: SpanAttributes, role?: SpanRole): TraceSpan | undefined;
  /** Adds work that was a part of this. */
  past(work: PastWork): TraceSpan | undefined;
  /** Adds what storing the object at this position of the node's commit log took. */
  logWrite(position: number): void;
  set(attributes: SpanAttributes): void;
  fail(failure: string): void;
  /** Runs work as a part of this: what it asks of stores and of the key service shows below it. */
  run<T>(work: () => T): T;
  /** Once; further calls do nothing. */
  end(): void;
}
