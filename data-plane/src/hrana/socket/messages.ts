/** Messages of the Hrana protocol over WebSockets, decoded. */
import type { BatchStep, StreamRequest } from '../protocol.js';

/** Requests that run in a stream and have one answer; the texts that a connection stores are its own affair. */
export type SocketStreamRequest = Exclude<StreamRequest, { readonly type: 'store_sql' | 'close_sql' | 'close' }>;

export type SocketRequest =
  | { readonly type: 'open_stream' | 'close_stream'; readonly streamId: number }
  | { readonly type: 'in_stream'; readonly streamId: number; readonly request: SocketStreamRequest }
  | {
      readonly type: 'open_cursor';
      readonly streamId: number;
      readonly cursorId: number;
      readonly steps: readonly BatchStep[];
    }
  | { readonly type: 'fetch_cursor'; readonly cursorId: number; readonly maxCount: number }
  | { readonly type: 'close_cursor'; readonly cursorId: number }
  | { readonly type: 'store_sql'; readonly sqlId: number; readonly sql: string }
  | { readonly type: 'close_sql'; readonly sqlId: number };

export type ClientMessage =
  | { readonly type: 'hello'; readonly jwt: string | undefined }
  | { readonly type: 'request'; readonly requestId: number; readonly request: SocketRequest };

/** How the protocol calls a request. */
export type SocketRequestName = Exclude<SocketRequest['type'], 'in_stream'> | SocketStreamRequest['type'];
