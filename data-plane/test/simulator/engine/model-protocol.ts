/** The language of the model engine: what a request's body says, and what an answer's. It stands for Hrana and SQL. */

export type ModelOperation =
  /** Begins a transaction and takes the write lock, as BEGIN IMMEDIATE. */
  | { readonly op: 'begin' }
  | { readonly op: 'commit' }
  | { readonly op: 'rollback' }
  | { readonly op: 'get'; readonly key: string }
  | { readonly op: 'set'; readonly key: string; readonly value: string | null }
  /** Adds to a list: values joined by commas. */
  | { readonly op: 'append'; readonly key: string; readonly value: string }
  /** Moves money between two accounts, each `<balance>@<id of the last transfer>`, if there is enough. */
  | {
      readonly op: 'transfer';
      readonly from: string;
      readonly to: string;
      readonly amount: number;
      readonly id: string;
    }
  /** All keys that start with `prefix`, and their values, by key. */
  | { readonly op: 'all'; readonly prefix: string }
  /** Rewrites the database into as few pages as it takes. */
  | { readonly op: 'compact' }
  /** Runs until the engine process is killed. */
  | { readonly op: 'spin' };

export interface ModelRequest {
  /** Of the latest answer of the stream, or null for a new stream. */
  readonly baton: string | null;
  readonly operations: readonly ModelOperation[];
  /** Ends the stream after the operations; an open transaction is rolled back. */
  readonly close: boolean;
}

/** What an operation gave; after the first error nothing more is run. */
export type ModelResult =
  { readonly value: string | null | readonly (readonly [string, string])[] } | { readonly error: ModelErrorCode };

export type ModelErrorCode =
  'TRANSACTION_BUSY' | 'TRANSACTION_TIMEOUT' | 'NO_TRANSACTION' | 'IN_TRANSACTION' | 'NO_ACCOUNT' | 'BLOCKED' | 'FULL';

export interface SeenState {
  readonly database: string;
  readonly commit: number;
  readonly history: string;
}

export interface ModelAnswer {
  readonly baton: string | null;
  readonly results: readonly ModelResult[];
  /** The state that the answer was made from: more than a client of the product learns, for checks only. */
  readonly seen: SeenState;
}

/** Refusal of a whole request, with HTTP status 404. */
export interface ModelRefusal {
  readonly code: 'STREAM_EXPIRED';
}

export function encodeRequest(request: ModelRequest): Buffer {
  return Buffer.from(JSON.stringify(request));
}

export function decodeRequest(body: Uint8Array): ModelRequest {
  return JSON.parse(Buffer.from(body).toString('utf8')) as ModelRequest;
}
