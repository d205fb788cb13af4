/** What the load generator is asked to do, and what it reports. */
export interface LoadPlan {
  readonly host: string;
  readonly port: number;
  /** Complete HTTP requests. Each connection sends them in a circle, starting at a place of its own. */
  readonly requests: readonly Uint8Array[];
  /** Each connection has one request on its way at a time and sends the next one when it is answered. */
  readonly connections: number;
  readonly extent: TimedExtent | OnceExtent;
}

/** Runs for a time; what ends within `warmupMs` is not counted. */
export interface TimedExtent {
  readonly kind: 'time';
  readonly warmupMs: number;
  readonly measureMs: number;
}

/** Sends every request exactly once. */
export interface OnceExtent {
  readonly kind: 'once';
}

export interface LoadResult {
  /** Successful answers within the measured time. */
  readonly completed: number;
  readonly failed: number;
  /** Status and beginning of the first answer that was no success. */
  readonly firstFailure?: string;
  readonly elapsedMs: number;
  /** From sending a request to the end of its answer, in no particular order. */
  readonly latenciesMs: Float64Array;
  /** CPU time of the load generator within the measured time. */
  readonly generatorCpuMs: number;
}

export type ToLoadProcess = { readonly type: 'run'; readonly plan: LoadPlan };
export type FromLoadProcess =
  | { readonly type: 'measuring' }
  | { readonly type: 'measured' }
  | { readonly type: 'done'; readonly result: LoadResult }
  | { readonly type: 'broken'; readonly message: string };
