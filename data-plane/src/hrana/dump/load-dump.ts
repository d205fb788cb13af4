/**
 * Makes a database of a dump, statement by statement, each through the gate. Runs in an engine process that nothing else is open in:
 * however long it takes, it holds up nobody, and nothing of it is anybody's database before the file that it makes was looked through
 * like every other that comes from outside.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { EngineError } from '../../engine/adapters/adapter.js';
import type { Connection } from '../../engine/process/connection.js';
import type { DatabaseHost } from '../../engine/process/database-host.js';
import type { ResponseStream } from '../../engine/process/response-stream.js';
import type { StatementGate } from '../../engine/process/statement-gate.js';
import { Signal } from '../../engine/process/task.js';
import { statementRanges } from '../../engine/sql-gate/statement-splitter.js';
import { TokenCursor } from '../../engine/sql-gate/tokenizer.js';
import { ByocError, isByocError } from '../../errors/catalogue.js';
import { uploadChunkBytes } from '../../storage/uploaded-image.js';

/** What the first byte of a request asks for. */
export const dumpSteps = { text: 0, end: 1, read: 2 } as const;
/** Longest statement, in UTF-16 code units; the gate counts bytes. */
const longestStatement = 32 * 2 ** 20;
const pragma = /^pragma\b/i;

export class DumpLoad {
  readonly #host: DatabaseHost;
  readonly #connection: Connection;
  readonly #gate: StatementGate;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  /** What has come and was not run: the beginning of a statement. */
  #text = '';
  #statements = 0;
  /** Between BEGIN and COMMIT of the dump. */
  #isOpen = false;

  constructor(host: DatabaseHost) {
    const connection = host.pool.acquire({});
    if (connection instanceof Signal) throw new Error('a database that a dump is loaded into is open for nothing else');
    this.#host = host;
    this.#connection = connection;
    this.#gate = host.newGate();
    connection.engine.exec('PRAGMA foreign_keys = off');
  }

  /** Answers one step: text with nothing, the end with the size of the file in JSON, reading with a chunk of the file. */
  serve(body: Uint8Array, response: ResponseStream): void {
    const host = this.#host;
    host.recorder.idle();
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    response.send(200, host.commit, this.#answer(bytes), true);
  }

  #answer(body: Buffer): Buffer {
    switch (body.readUInt8(0)) {
      case dumpSteps.text:
        this.#add(body.subarray(1));
        return Buffer.alloc(0);
      case dumpSteps.end:
        return Buffer.from(JSON.stringify({ sizeBytes: this.#end() }));
      default:
        return this.#read(body.readUInt32LE(1));
    }
  }

  #add(bytes: Buffer): void {
    this.#text += this.#decoded(() => this.#decoder.decode(bytes, { stream: true }));
    this.#inTransaction(() => this.#runWhole());
    if (this.#text.length > longestStatement) throw this.#refused('the statement is too long');
  }

  /** Throws `UPLOAD_INVALID`. */
  #end(): number {
    this.#text += this.#decoded(() => this.#decoder.decode());
    this.#inTransaction(() => {
      this.#runWhole();
      for (const { start, end } of statementRanges(this.#text)) this.#run(this.#text.slice(start, end));
    });
    this.#text = '';
    if (this.#isOpen) throw this.#refused('the dump ends before its COMMIT: it is not whole');
    return this.#file((file) => fstatSync(file).size);
  }

  /** Runs every statement that has its semicolon: what comes later cannot change it. */
  #runWhole(): void {
    let done = 0;
    for (const { start, end } of statementRanges(this.#text)) {
      const cursor = new TokenCursor(this.#text);
      cursor.end = end;
      if (!cursor.next() || !cursor.isOperator(';')) break;
      this.#run(this.#text.slice(start, end));
      done = end;
    }
    this.#text = this.#text.slice(done);
  }

  /** What the dump does is one transaction to whoever sees its outcome; here it is several, so that the WAL stays short. */
  #inTransaction(work: () => void): void {
    const { engine } = this.#connection;
    try {
      engine.exec('BEGIN');
      work();
      engine.exec('COMMIT');
      engine.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch (error) {
      if (error instanceof EngineError) throw this.#refused(error.message, error);
      if (isByocError(error) && error.code !== 'UPLOAD_INVALID') throw this.#refused(error.message, error);
      throw error;
    }
  }

  #run(sql: string): void {
    this.#statements += 1;
    const { engine } = this.#connection;
    const plan = this.#gate.plan(sql, engine);
    switch (plan.transactionControl) {
      case null:
        break;
      case 'begin':
      case 'begin-write':
        if (this.#isOpen) throw this.#refused('BEGIN within a transaction');
        this.#isOpen = true;
        return;
      case 'commit':
        if (!this.#isOpen) throw this.#refused('COMMIT without BEGIN');
        this.#isOpen = false;
        return;
      case 'rollback':
        throw this.#refused('ROLLBACK: whoever wrote the dump could not write all of it');
      default:
        throw this.#refused('of transactions a dump has BEGIN and COMMIT only');
    }
    if (pragma.test(plan.sql) && plan.changesSession) return;
    if (plan.changesSession) throw this.#refused('a dump makes no TEMP objects');
    if (plan.isReadOnly && !pragma.test(plan.sql)) throw this.#refused('a dump asks nothing');
    if (plan.parameters.length > 0) throw this.#refused('a dump has no parameters');
    const statement = engine.prepare(plan.sql);
    if (statement.columns().length === 0) statement.run([]);
    else for (const row of statement.rows([])) if (row.length === 0) break;
    if (plan.changesSchema) this.#gate.invalidate();
  }

  #read(chunk: number): Buffer {
    return this.#file((file) => {
      const content = Buffer.allocUnsafe(uploadChunkBytes);
      const length = readSync(file, content, 0, uploadChunkBytes, chunk * uploadChunkBytes);
      return content.subarray(0, length);
    });
  }

  #file<T>(use: (file: number) => T): T {
    const file = openSync(this.#host.path, 'r');
    try {
      return use(file);
    } finally {
      closeSync(file);
    }
  }

  #decoded(decode: () => string): string {
    try {
      return decode();
    } catch (cause) {
      throw this.#refused('the dump is not UTF-8', cause);
    }
  }

  #refused(reason: string, cause?: unknown): ByocError {
    return new ByocError('UPLOAD_INVALID', `statement ${this.#statements} of the dump: ${reason}`, { cause });
  }
}
