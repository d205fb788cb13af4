/** Requests for the file of a database rather than for what SQL says about it: uploads, exports, replicas. */
import type { Restrictions } from '../engine/ipc/messages.js';
import type { PresentedKey } from '../keys/client-key.js';
import type { TraceSpan } from '../tracing/trace-span.js';
import type { Admission } from './database-service.js';

export type FileOperation =
  | { readonly kind: 'upload-start'; readonly sizeBytes: number }
  /** The body is the chunk. */
  | { readonly kind: 'upload-chunk'; readonly upload: string; readonly chunk: number }
  | { readonly kind: 'upload-finalize'; readonly upload: string }
  | { readonly kind: 'replica-info' }
  | { readonly kind: 'replica-export'; readonly generation: number }
  /** Frames from `start` on, `end` excluded. */
  | { readonly kind: 'replica-pull'; readonly generation: number; readonly start: number; readonly end: number }
  /** The body is the frames. */
  | {
      readonly kind: 'replica-push';
      readonly generation: number;
      readonly start: number;
      readonly end: number;
      readonly baton?: string;
    };

export type FileOperationKind = FileOperation['kind'];

export const fileOperationKinds: readonly FileOperationKind[] = [
  'upload-start',
  'upload-chunk',
  'upload-finalize',
  'replica-info',
  'replica-export',
  'replica-pull',
  'replica-push',
];

export interface FileRequest {
  readonly operation: FileOperation;
  readonly readOnly: boolean;
  /** What it may do less than that. */
  readonly restrictions?: Restrictions | undefined;
  readonly body: Buffer;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  readonly admission: Admission;
  /** Passed on by another node. */
  readonly isForwarded: boolean;
  /** What whoever sent it calls it; the other nodes that it is passed on to are told. */
  readonly requestId?: string | undefined;
  /** What shows the work for it; absent when it is not traced. */
  readonly trace?: TraceSpan | undefined;
  readonly clientKey?: PresentedKey | undefined;
}

/** An answer whose every byte depends only on durable commits. */
export interface FileAnswer {
  readonly status: number;
  /** JSON, or bytes of the database file or its WAL. */
  readonly type: 'application/json' | 'application/octet-stream';
  readonly body: Buffer | AsyncIterable<Buffer>;
  /** Of a streamed body. */
  readonly sizeBytes?: number;
}

export function jsonAnswer(status: number, value: object): FileAnswer {
  return { status, type: 'application/json', body: Buffer.from(JSON.stringify(value)) };
}

/** Whether an operation changes the database. */
export function isChange({ kind }: FileOperation): boolean {
  return kind.startsWith('upload-') || kind === 'replica-push';
}
