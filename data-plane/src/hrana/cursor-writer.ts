import type { ColumnInfo, SqlValue } from '../engine/adapters/adapter.js';
import type { DatabaseHost } from '../engine/process/database-host.js';
import type { ResponseStream } from '../engine/process/response-stream.js';
import type { RowSink } from '../engine/process/statement.js';
import type { Signal } from '../engine/process/task.js';
import type { CursorBuffer, HranaEncoding } from './encoding.js';

const partBytes = 64 * 1024;
/** What has waited this long is sent even if it does not fill a part. */
const longestWaitMs = 5;

/** The entries of a cursor response, sent in parts at the pace of the client. */
export class CursorWriter<Piece> {
  readonly #host: DatabaseHost;
  readonly #response: ResponseStream;
  readonly #buffer: CursorBuffer<Piece>;
  #parts: Buffer[] = [];
  #lastCutMs: number;
  /** Whether anything has left. */
  hasSent = false;

  constructor(host: DatabaseHost, response: ResponseStream, buffer: CursorBuffer<Piece>) {
    this.#host = host;
    this.#response = response;
    this.#buffer = buffer;
    this.#lastCutMs = host.runtime.monotonicMs();
  }

  add(entry: Piece): void {
    this.#buffer.add(entry);
  }

  /** Size of what was written and not cut into parts yet. */
  get pendingBytes(): number {
    return this.#buffer.size;
  }

  /** Sends what is worth sending; a signal when the client has to take some of it before more is written. */
  advance(): Signal | undefined {
    const nowMs = this.#host.runtime.monotonicMs();
    const { size } = this.#buffer;
    if (size >= partBytes || (size > 0 && nowMs - this.#lastCutMs >= longestWaitMs)) {
      this.#cut();
      this.#lastCutMs = nowMs;
    }
    return this.#parts.length === 0 ? undefined : this.#sendParts(0);
  }

  /** Sends everything, the last part as such; a signal when the client has to take some of it first. */
  finish(): Signal | undefined {
    this.#cut();
    const signal = this.#sendParts(1);
    if (signal) return signal;
    const [last = Buffer.alloc(0)] = this.#parts;
    const room = this.#response.waitForRoom(last.length);
    if (!room) this.#response.send(200, this.#host.commit, last, true);
    return room;
  }

  /** Ends the response with one entry more, leaving out what the client has not taken. */
  breakOff(entry: Piece): void {
    this.#buffer.take();
    this.#buffer.add(entry);
    this.#response.send(200, this.#host.commit, this.#buffer.take(), true);
  }

  #cut(): void {
    if (this.#buffer.size === 0) return;
    const bytes = this.#buffer.take();
    for (let start = 0; start < bytes.length; start += partBytes) {
      this.#parts.push(bytes.subarray(start, start + partBytes));
    }
  }

  /** Sends parts until `keep` are left or there is no room. */
  #sendParts(keep: number): Signal | undefined {
    while (this.#parts.length > keep) {
      const [part] = this.#parts;
      if (!part) return undefined;
      const room = this.#response.waitForRoom(part.length);
      if (room) return room;
      this.#parts.shift();
      this.hasSent = true;
      this.#response.send(200, this.#host.commit, part, false);
    }
    return undefined;
  }
}

/** The rows of one step as entries of the cursor. */
export class CursorStepSink<Piece> implements RowSink {
  readonly #writer: CursorWriter<Piece>;
  readonly #encoding: HranaEncoding<Piece>;
  readonly #step: number;
  readonly #wantRows: boolean;
  readonly #maxBytes: number;

  constructor(
    writer: CursorWriter<Piece>,
    encoding: HranaEncoding<Piece>,
    step: number,
    wantRows: boolean,
    maxBytes: number,
  ) {
    this.#writer = writer;
    this.#encoding = encoding;
    this.#step = step;
    this.#wantRows = wantRows;
    this.#maxBytes = maxBytes;
  }

  begin(columns: readonly ColumnInfo[]): void {
    this.#writer.add(this.#encoding.stepBegin(this.#step, columns));
  }

  /** False for a row that no memory should be spent on, and when a statement that cannot wait wrote too many. */
  row(values: readonly SqlValue[]): boolean {
    if (!this.#wantRows) return true;
    const row = this.#encoding.cursorRow(values);
    if (this.#writer.pendingBytes + this.#encoding.size(row) > this.#maxBytes) return false;
    this.#writer.add(row);
    return true;
  }

  waitFor(): Signal | undefined {
    return this.#writer.advance();
  }
}
