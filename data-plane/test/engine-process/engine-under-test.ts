/** A real engine process, spoken to in the language of the I/O process. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FlightRecordReader } from '../../src/engine/ipc/flight-recorder.js';
import { FrameReader } from '../../src/engine/ipc/frame-reader.js';
import {
  decodeMessage,
  encodeMessage,
  pageRecordBytes,
  type DatabaseLimits,
  type FromEngine,
  type RequestKind,
  type ToEngine,
} from '../../src/engine/ipc/messages.js';
import type { EngineName } from '../../src/identity.js';
import { emptyDatabaseImage } from '../../src/storage/empty-database.js';

export const generousLimits: DatabaseLimits = {
  maxPages: 100_000,
  maxResponseBytes: 10 * 1024 * 1024,
  transactionTimeoutMs: 30_000,
  streamIdleTimeoutMs: 30_000,
  writeLockTimeoutMs: 30_000,
  maxTransactionBytes: 256 * 1024 * 1024,
  requestTimeoutMs: 60_000,
};

export type Message<Type extends FromEngine['type']> = Extract<FromEngine, { type: Type }>;

/* The shapes of answers as far as the tests look at them. */
export interface Failure {
  readonly message: string;
  readonly code: string;
  readonly extended_code?: string;
}
export interface Result {
  readonly cols: { name: string; decltype: string | null }[];
  readonly rows: { type: string; value?: unknown; base64?: string }[][];
  readonly affected_row_count: number;
  readonly last_insert_rowid: string | null;
  readonly rows_read: number;
  readonly rows_written: number;
  readonly query_duration_ms: number;
}
export interface StreamResult {
  readonly type: 'ok' | 'error';
  readonly error?: Failure;
  readonly response?: {
    readonly type: string;
    readonly result?: Result & { step_results: (Result | null)[]; step_errors: (Failure | null)[] };
    readonly is_autocommit?: boolean;
  };
}
export interface PipelineAnswer {
  readonly status: number;
  readonly seenCommit: number;
  readonly baton: string | null;
  readonly results: StreamResult[];
  readonly error: Record<string, string>;
}

export interface SendOptions {
  readonly baton?: string | null;
  readonly readOnly?: boolean;
  readonly kind?: RequestKind;
}

export class EngineUnderTest {
  readonly directory = mkdtempSync(join(tmpdir(), 'engine-process-'));
  readonly flightRecord: FlightRecordReader;
  /** Everything the engine sent, in order. */
  readonly messages: FromEngine[] = [];
  readonly #child: ChildProcess;
  readonly #socket: Socket;
  readonly #exited: Promise<unknown>;
  #waiting: (() => void)[] = [];
  readonly #databaseOf = new Map<number, number>();
  #request = 0;
  #database = 0;
  standardError = '';

  constructor() {
    const record = join(this.directory, 'flight-record');
    this.flightRecord = new FlightRecordReader(record);
    const entry = join(import.meta.dirname, '../../dist/engine-process.js');
    // The engine that it loads before it is asked; it opens databases of both.
    this.#child = spawn(process.execPath, ['--expose-gc', entry, record, 'libsql'], {
      env: {},
      cwd: this.directory,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.standardError += chunk.toString()));
    this.#exited = once(this.#child, 'exit');
    this.#socket = this.#child.stdio[3] as Socket;
    this.#socket.on('error', () => undefined);
    const reader = new FrameReader();
    this.#socket.on('data', (chunk: Buffer) => {
      reader.push(chunk, (frame) => this.messages.push(decodeMessage(frame) as FromEngine));
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  send(...messages: ToEngine[]): void {
    this.#socket.write(Buffer.concat(messages.map(encodeMessage)));
  }

  /** Ends the socket; the process is to exit by itself. */
  async end(): Promise<number | null> {
    this.#socket.end();
    await this.#exited;
    return this.#child.exitCode;
  }

  async dispose(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
    this.flightRecord.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** The first message, from position `after` on, for which `find` gives something. */
  async until<T>(find: (message: FromEngine) => T | undefined, after = 0): Promise<T> {
    for (let position = after; ; position++) {
      while (position >= this.messages.length) {
        if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
          throw new Error(`the engine process ended: ${this.standardError}`);
        }
        await Promise.race([new Promise<void>((resolve) => this.#waiting.push(resolve)), this.#exited]);
      }
      const found = find(this.messages[position]!);
      if (found !== undefined) return found;
    }
  }

  path(database: number): string {
    return join(this.directory, `db-${database}`);
  }

  /** Opens a new empty database at commit 0. */
  async open(engine: EngineName, limits: Partial<DatabaseLimits> = {}): Promise<number> {
    const database = ++this.#database;
    writeFileSync(this.path(database), emptyDatabaseImage(0));
    const path = this.path(database);
    this.send({ type: 'open', database, engine, path, commit: 0, limits: { ...generousLimits, ...limits } });
    const opened = await this.until((message) =>
      message.type === 'opened' && message.database === database ? message : undefined,
    );
    if (opened.error) throw new Error(`${opened.error.code}: ${opened.error.message}`);
    return database;
  }

  /** Sends a request without waiting; returns its number. */
  post(database: number, body: unknown, { readOnly = false, kind = 'v3-pipeline' }: SendOptions = {}): number {
    const request = ++this.#request;
    this.#databaseOf.set(request, database);
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
    this.send({ type: 'request', request, database, kind, readOnly, body: bytes });
    return request;
  }

  /** The parts of a response, once its last one came. */
  async parts(request: number): Promise<Message<'response'>[]> {
    const parts: Message<'response'>[] = [];
    await this.until((message) => {
      if (message.type === 'poisoned' && message.database === this.#databaseOf.get(request)) {
        throw new Error(`the database is lost: ${message.reason}`);
      }
      if (message.type !== 'response' || message.request !== request) return undefined;
      parts.push(message);
      return message.last ? true : undefined;
    });
    return parts;
  }

  async answer(request: number): Promise<PipelineAnswer> {
    const parts = await this.parts(request);
    const { status, seenCommit } = parts[0]!;
    const json = JSON.parse(Buffer.concat(parts.map((part) => part.body)).toString()) as PipelineAnswer;
    return { ...json, status, seenCommit, error: json as unknown as Record<string, string> };
  }

  async pipeline(database: number, requests: unknown[], options: SendOptions = {}): Promise<PipelineAnswer> {
    return this.answer(this.post(database, { baton: options.baton ?? null, requests }, options));
  }

  /** Runs statements in one pipeline; the answer has one result for each. */
  async run(database: number, sqls: string[], options: SendOptions = {}): Promise<PipelineAnswer> {
    return this.pipeline(
      database,
      sqls.map((sql) => ({ type: 'execute', stmt: { sql } })),
      options,
    );
  }

  /** The rows of one query, as plain values. */
  async rows(database: number, sql: string, options: SendOptions = {}): Promise<unknown[][]> {
    const { results } = await this.run(database, [sql], options);
    const [result] = results;
    if (result?.error) throw new Error(`${result.error.code}: ${result.error.message}`);
    return result!.response!.result!.rows.map((row) => row.map((value) => value.value ?? value.base64 ?? null));
  }

  /** The lines of a cursor, giving credit for everything at once. */
  async cursor(database: number, steps: unknown[], options: SendOptions = {}): Promise<Record<string, unknown>[]> {
    const body = { baton: options.baton ?? null, batch: { steps } };
    const request = this.post(database, body, { ...options, kind: 'v3-cursor' });
    this.send({ type: 'credit', request, bytes: 1_000_000_000 });
    return cursorLines(await this.parts(request));
  }

  commits(database: number): Message<'commit'>[] {
    return this.messages.filter(
      (message): message is Message<'commit'> => message.type === 'commit' && message.database === database,
    );
  }

  /** The database file as someone knows it who applied every commit message to the initial image. */
  replica(database: number): Buffer {
    let image = emptyDatabaseImage(0);
    for (const { pages, databasePages } of this.commits(database)) {
      const next = Buffer.alloc(databasePages * 4096);
      image.copy(next);
      for (let offset = 0; offset < pages.length; offset += pageRecordBytes) {
        const page = Buffer.from(pages.subarray(offset, offset + pageRecordBytes));
        page.copy(next, (page.readUInt32LE(0) - 1) * 4096, 4);
      }
      image = next;
    }
    return image;
  }
}

/** The JSON lines of a cursor response. */
export function cursorLines(parts: readonly Message<'response'>[]): Record<string, unknown>[] {
  return Buffer.concat(parts.map((part) => part.body))
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
