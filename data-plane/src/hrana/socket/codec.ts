import type { RequestKind } from '../../engine/ipc/messages.js';
import type { BatchStep } from '../protocol.js';
import type { StreamError } from '../stream-error.js';
import type { ClientMessage, SocketRequestName, SocketStreamRequest } from './messages.js';

/**
 * One encoding of the protocol over WebSockets. A request that runs in a stream travels on as the body of a pipeline or a
 * cursor in the same encoding, and what answers it is passed on as it is, without being read.
 */
export interface SocketCodec {
  /** Whether messages are binary frames; text frames otherwise. */
  readonly isBinary: boolean;
  readonly pipelineKind: RequestKind;
  readonly cursorKind: RequestKind;

  /** Throws MALFORMED_REQUEST. */
  decode(frame: Buffer): ClientMessage;
  helloOk(): Buffer;
  helloError(error: StreamError): Buffer;
  /** The answer to a request whose response says nothing more. */
  responseOk(requestId: number, name: SocketRequestName): Buffer;
  responseError(requestId: number, error: StreamError): Buffer;
  fetchedEntries(requestId: number, entries: readonly Buffer[], done: boolean): Buffer;

  /** The body of a pipeline with this one request, or with `close`. */
  pipelineBody(baton: string | undefined, request: SocketStreamRequest | { readonly type: 'close' }): Buffer;
  cursorBody(baton: string | undefined, steps: readonly BatchStep[]): Buffer;
  /**
   * Makes the answer to a request from that to its pipeline. Throws INTERNAL when the answer is not one that this product
   * gives.
   */
  passOn(requestId: number, name: SocketRequestName, answer: Buffer): PassedOn;
  newCursorReader(): CursorReader;
}

export interface PassedOn {
  readonly message: Buffer;
  /** Of the stream; undefined when it has ended. */
  readonly baton: string | undefined;
}

/** Cuts the body of a cursor into its entries. */
export interface CursorReader {
  /** The baton of the head, once that has come. */
  readonly baton: string | undefined;
  /** Takes a part of the body; returns the entries that it completes. */
  push(part: Buffer): Buffer[];
  /** To be asked at the end of the body: whether nothing is missing. */
  isComplete(): boolean;
}
