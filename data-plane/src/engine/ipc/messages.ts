/**
 * The language between the I/O process and an engine process: length-prefixed binary frames over a Unix socket pair.
 *
 * Frame: u32 length of what follows, u8 type, payload. Integers are little endian; commit numbers are f64 (exact below
 * 2^53). Order matters and is kept: the engine sends a `Commit` before any `Response` that saw that commit, so that the
 * I/O process can hold the response back until the commit is durable.
 */
import type { TablePermission } from '../../auth/table-permissions.js';
import type { EngineName } from '../../identity.js';
import { longestShape, mostShapesTold, type ShapedCosts } from './shaped-costs.js';

export const requestKinds = [
  'v2-pipeline',
  'v3-pipeline',
  'v3-cursor',
  'v3-protobuf-pipeline',
  'v3-protobuf-cursor',
  'v1-execute',
  'v1-batch',
  'dump',
  // These come from the node itself; no route leads to them.
  'file-check',
  'dump-load',
  'replica-push',
] as const;
export type RequestKind = (typeof requestKinds)[number];

/** Limits of one database, fixed while it is open. */
export interface DatabaseLimits {
  readonly maxPages: number;
  /** Longest body of a whole pipeline response and longest single result; beyond it RESPONSE_TOO_LARGE. */
  readonly maxResponseBytes: number;
  /** An open transaction is rolled back when it is older than this. */
  readonly transactionTimeoutMs: number;
  /** A stream that nobody used for this long is closed. */
  readonly streamIdleTimeoutMs: number;
  /** How long a write waits for another stream's transaction before it fails with TRANSACTION_BUSY. */
  readonly writeLockTimeoutMs: number;
  /** Most WAL bytes one transaction may append. */
  readonly maxTransactionBytes: number;
  /** How long one request may run, however many statements it has; waiting for others and for its client not counted. */
  readonly requestTimeoutMs: number;
}

/** What a request may do less than its token's access says. Absent: nothing less. */
export interface Restrictions {
  /** All that the token lets be done with tables. */
  readonly permissions?: readonly TablePermission[];
  /** Pages that the database may grow to, when that is less than the node allows. */
  readonly maxPages?: number;
}

/** Messages from the I/O process to an engine process. `database` is a handle that the I/O process never reuses. */
export type ToEngine =
  | {
      readonly type: 'open';
      readonly database: number;
      readonly engine: EngineName;
      /** Database file, already restored; no WAL beside it. */
      readonly path: string;
      /** Number of the last commit contained in the file; the next commit gets this plus one. */
      readonly commit: number;
      readonly limits: DatabaseLimits;
    }
  /** Closes every connection and stream of the database. Files stay; the I/O process removes them. */
  | { readonly type: 'close'; readonly database: number }
  | {
      readonly type: 'request';
      readonly request: number;
      readonly database: number;
      readonly kind: RequestKind;
      /** The request came with a token that may only read. */
      readonly readOnly: boolean;
      readonly restrictions?: Restrictions | undefined;
      /** The HTTP request body, unparsed. */
      readonly body: Uint8Array;
    }
  /** The client went away; what has not started need not start. */
  | { readonly type: 'cancel'; readonly request: number }
  /** The client took `bytes` more of a streamed response. */
  | { readonly type: 'credit'; readonly request: number; readonly bytes: number }
  /** Fold the WAL into the file, only if `commit` is still the last commit; otherwise do nothing. */
  | { readonly type: 'checkpoint'; readonly database: number; readonly commit: number };

/** Messages from an engine process to the I/O process. */
export type FromEngine =
  | { readonly type: 'opened'; readonly database: number; readonly error?: { code: string; message: string } }
  | { readonly type: 'closed'; readonly database: number }
  | {
      readonly type: 'commit';
      readonly database: number;
      readonly commit: number;
      /** Size of the database after the commit, in pages. */
      readonly databasePages: number;
      /** Pages the commit changed, (page number u32, 4096 bytes) each, every page once; parts of one commit follow each other. */
      readonly pages: Uint8Array;
      /** False when more parts of the same commit follow. */
      readonly last: boolean;
    }
  | {
      readonly type: 'response';
      readonly request: number;
      /** HTTP status; meaningful in the first part. */
      readonly status: number;
      /** The highest commit this part depends on. */
      readonly seenCommit: number;
      readonly last: boolean;
      readonly body: Uint8Array;
    }
  /** `done` is false when the checkpoint was not possible now; nothing changed then. */
  | { readonly type: 'checkpointed'; readonly database: number; readonly commit: number; readonly done: boolean }
  /** The local copy can no longer be trusted and was closed; every request of it that has no answer will get none. */
  | { readonly type: 'poisoned'; readonly database: number; readonly reason: string }
  /** Streams that outlive a request (open transactions, stored SQL); sent when the number changes to or from zero. */
  | { readonly type: 'streams'; readonly database: number; readonly open: number }
  /** What statements of the database did since the last message of this type; gathered, so it comes a little late. */
  | ({ readonly type: 'usage'; readonly database: number } & StatementUsage);

/** What statements did, whether or not it was rolled back later. */
export interface StatementUsage {
  /** Statements that were run. */
  readonly queries: number;
  /** As in results: rows that came back. */
  readonly rowsRead: number;
  readonly rowsWritten: number;
  /** The same by the shape of the statements; those that control transactions are in none. */
  readonly shapes: readonly ShapedCosts[];
}

/** One page inside a `commit` message: its number, then its content. */
export const pageRecordBytes = 4 + 4096;
/** Upper bound of the `pages` field of one `commit` message; longer commits are sent in parts. */
export const maxCommitPartBytes = 256 * pageRecordBytes;
/** A frame longer than this means that the two sides lost step. */
export const maxFrameBytes = 64 * 1024 * 1024;

const typeCodes = {
  open: 1,
  close: 2,
  request: 3,
  cancel: 4,
  credit: 5,
  checkpoint: 6,
  opened: 16,
  closed: 17,
  commit: 18,
  response: 19,
  checkpointed: 20,
  poisoned: 21,
  streams: 22,
  usage: 23,
} as const;

/** Flags of a request. */
const readOnlyFlag = 1;
const restrictedFlag = 2;

type Message = ToEngine | FromEngine;

/** Starts a frame whose payload has `fixed` bytes of fields and `tail` bytes after them. Fields start at offset 5. */
function frame(type: keyof typeof typeCodes, fixed: number, tail?: Uint8Array): Buffer {
  const length = 1 + fixed + (tail?.byteLength ?? 0);
  const buffer = Buffer.allocUnsafe(4 + length);
  buffer.writeUInt32LE(length, 0);
  buffer.writeUInt8(typeCodes[type], 4);
  if (tail) buffer.set(tail, 5 + fixed);
  return buffer;
}

/** A whole or partial response whose body is still text. */
export interface TextResponse {
  readonly request: number;
  readonly status: number;
  readonly seenCommit: number;
  readonly last: boolean;
  readonly text: string;
}

const responseFields = 15;

/** Bytes of the frame of a `response` message with this text as its body. */
export function textResponseBytes(text: string): number {
  return 4 + 1 + responseFields + Buffer.byteLength(text);
}

/** Writes a `response` message into `buffer` at `at`; the frame has `frameBytes` bytes, as `textResponseBytes` said. */
export function writeTextResponse(buffer: Buffer, at: number, frameBytes: number, response: TextResponse): void {
  buffer.writeUInt32LE(frameBytes - 4, at);
  buffer.writeUInt8(typeCodes.response, at + 4);
  writeResponseFields(buffer, at, response);
  buffer.write(response.text, at + 5 + responseFields, 'utf8');
}

function writeResponseFields(buffer: Buffer, at: number, response: Omit<TextResponse, 'text'>): void {
  buffer.writeUInt32LE(response.request, at + 5);
  buffer.writeUInt16LE(response.status, at + 9);
  buffer.writeDoubleLE(response.seenCommit, at + 11);
  buffer.writeUInt8(response.last ? 1 : 0, at + 19);
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** Encodes one message as one frame. */
export function encodeMessage(message: Message): Buffer {
  switch (message.type) {
    case 'open':
    case 'opened':
    case 'poisoned': {
      const { type, database, ...rest } = message;
      const buffer = frame(type, 4, json(rest));
      buffer.writeUInt32LE(database, 5);
      return buffer;
    }
    case 'close':
    case 'closed': {
      const buffer = frame(message.type, 4);
      buffer.writeUInt32LE(message.database, 5);
      return buffer;
    }
    case 'request': {
      const restrictions = message.restrictions && json(message.restrictions);
      const fixed = 10 + (restrictions ? 4 + restrictions.length : 0);
      const buffer = frame('request', fixed, message.body);
      buffer.writeUInt32LE(message.request, 5);
      buffer.writeUInt32LE(message.database, 9);
      buffer.writeUInt8(requestKinds.indexOf(message.kind), 13);
      buffer.writeUInt8((message.readOnly ? readOnlyFlag : 0) | (restrictions ? restrictedFlag : 0), 14);
      if (restrictions) {
        buffer.writeUInt32LE(restrictions.length, 15);
        restrictions.copy(buffer, 19);
      }
      return buffer;
    }
    case 'cancel': {
      const buffer = frame('cancel', 4);
      buffer.writeUInt32LE(message.request, 5);
      return buffer;
    }
    case 'credit': {
      const buffer = frame('credit', 8);
      buffer.writeUInt32LE(message.request, 5);
      buffer.writeUInt32LE(message.bytes, 9);
      return buffer;
    }
    case 'checkpoint': {
      const buffer = frame('checkpoint', 12);
      buffer.writeUInt32LE(message.database, 5);
      buffer.writeDoubleLE(message.commit, 9);
      return buffer;
    }
    case 'commit': {
      const buffer = frame('commit', 17, message.pages);
      buffer.writeUInt32LE(message.database, 5);
      buffer.writeDoubleLE(message.commit, 9);
      buffer.writeUInt32LE(message.databasePages, 17);
      buffer.writeUInt8(message.last ? 1 : 0, 21);
      return buffer;
    }
    case 'response': {
      const buffer = frame('response', responseFields, message.body);
      writeResponseFields(buffer, 0, message);
      return buffer;
    }
    case 'checkpointed': {
      const buffer = frame('checkpointed', 13);
      buffer.writeUInt32LE(message.database, 5);
      buffer.writeDoubleLE(message.commit, 9);
      buffer.writeUInt8(message.done ? 1 : 0, 17);
      return buffer;
    }
    case 'streams': {
      const buffer = frame('streams', 8);
      buffer.writeUInt32LE(message.database, 5);
      buffer.writeUInt32LE(message.open, 9);
      return buffer;
    }
    case 'usage': {
      const buffer = frame('usage', 28, json(message.shapes));
      buffer.writeUInt32LE(message.database, 5);
      buffer.writeDoubleLE(message.queries, 9);
      buffer.writeDoubleLE(message.rowsRead, 17);
      buffer.writeDoubleLE(message.rowsWritten, 25);
      return buffer;
    }
  }
}

/** Decodes the part of a frame after its length. Byte fields are views into `buffer`. Throws on an unknown type. */
export function decodeMessage(buffer: Buffer): Message {
  const u32 = (offset: number): number => buffer.readUInt32LE(offset);
  const f64 = (offset: number): number => buffer.readDoubleLE(offset);
  const flag = (offset: number): boolean => buffer.readUInt8(offset) === 1;
  const rest = (offset: number): Record<string, unknown> =>
    JSON.parse(buffer.toString('utf8', offset)) as Record<string, unknown>;
  switch (buffer.readUInt8(0)) {
    case typeCodes.open:
      return { type: 'open', database: u32(1), ...rest(5) } as Message;
    case typeCodes.opened:
      return { type: 'opened', database: u32(1), ...rest(5) };
    case typeCodes.poisoned:
      return { type: 'poisoned', database: u32(1), ...rest(5) } as Message;
    case typeCodes.close:
      return { type: 'close', database: u32(1) };
    case typeCodes.closed:
      return { type: 'closed', database: u32(1) };
    case typeCodes.request: {
      const kind = requestKinds[buffer.readUInt8(9)];
      if (kind === undefined) throw new Error('unknown request kind in an engine frame');
      const flags = buffer.readUInt8(10);
      const head = {
        type: 'request',
        request: u32(1),
        database: u32(5),
        kind,
        readOnly: (flags & readOnlyFlag) !== 0,
      } as const;
      if ((flags & restrictedFlag) === 0) return { ...head, body: buffer.subarray(11) };
      const bodyAt = 15 + u32(11);
      const restrictions = JSON.parse(buffer.toString('utf8', 15, bodyAt)) as Restrictions;
      return { ...head, restrictions, body: buffer.subarray(bodyAt) };
    }
    case typeCodes.cancel:
      return { type: 'cancel', request: u32(1) };
    case typeCodes.credit:
      return { type: 'credit', request: u32(1), bytes: u32(5) };
    case typeCodes.checkpoint:
      return { type: 'checkpoint', database: u32(1), commit: f64(5) };
    case typeCodes.commit:
      return {
        type: 'commit',
        database: u32(1),
        commit: f64(5),
        databasePages: u32(13),
        last: flag(17),
        pages: buffer.subarray(18),
      };
    case typeCodes.response:
      return {
        type: 'response',
        request: u32(1),
        status: buffer.readUInt16LE(5),
        seenCommit: f64(7),
        last: flag(15),
        body: buffer.subarray(16),
      };
    case typeCodes.checkpointed:
      return { type: 'checkpointed', database: u32(1), commit: f64(5), done: flag(13) };
    case typeCodes.streams:
      return { type: 'streams', database: u32(1), open: u32(5) };
    case typeCodes.usage:
      return {
        type: 'usage',
        database: u32(1),
        queries: f64(5),
        rowsRead: f64(13),
        rowsWritten: f64(21),
        shapes: shapedCosts(JSON.parse(buffer.toString('utf8', 29))),
      };
    default:
      throw new Error(`unknown engine frame type ${buffer.readUInt8(0)}`);
  }
}

/** What an engine process says of shapes, as far as it is that: the process is not trusted. */
function shapedCosts(said: unknown): ShapedCosts[] {
  if (!Array.isArray(said)) return [];
  return said.slice(0, mostShapesTold).flatMap((each: unknown) => {
    if (typeof each !== 'object' || each === null) return [];
    const { shape, count, rowsRead, rowsWritten } = each as Partial<Record<keyof ShapedCosts, unknown>>;
    const areCounts = [count, rowsRead, rowsWritten].every(
      (value) => Number.isSafeInteger(value) && Number(value) >= 0,
    );
    if (typeof shape !== 'string' || shape.length > longestShape || !areCounts) return [];
    return [{ shape, count: Number(count), rowsRead: Number(rowsRead), rowsWritten: Number(rowsWritten) }];
  });
}
