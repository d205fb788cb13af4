/**
 * What an engine process is executing at this moment, in a file of one record.
 *
 * The engine runs on its only thread, so it cannot answer questions while a statement runs, and it cannot say anything
 * after it was killed. It therefore notes the request and the start time before each statement with one `pwrite` to a
 * small file; the I/O process reads the note to enforce the statement deadline and to learn which database caused a
 * death. The page cache keeps the note when the process dies.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';

export interface FlightRecord {
  /** Request being executed, or 0 when the engine is between statements. */
  readonly request: number;
  readonly database: number;
  /** `process.hrtime.bigint()` at the start of the statement; the clock is the machine's monotonic one. */
  readonly startedAtNs: bigint;
}

const recordBytes = 16;

/** The engine's side. */
export class FlightRecorder {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(recordBytes);
  // Every supported machine is little endian; this runs before each statement, and views are the fastest way.
  readonly #numbers = new Uint32Array(this.#buffer.buffer, this.#buffer.byteOffset, 2);
  readonly #time = new BigUint64Array(this.#buffer.buffer, this.#buffer.byteOffset + 8, 1);

  constructor(path: string) {
    this.#fd = openSync(path, 'r+');
  }

  begin(request: number, database: number): void {
    this.#numbers[0] = request;
    this.#numbers[1] = database;
    this.#time[0] = process.hrtime.bigint();
    writeSync(this.#fd, this.#buffer, 0, recordBytes, 0);
  }

  /** To be called when the engine has nothing more to execute. */
  idle(): void {
    this.#buffer.fill(0);
    writeSync(this.#fd, this.#buffer, 0, recordBytes, 0);
  }
}

/** The I/O process's side: creates the file and reads it. */
export class FlightRecordReader {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(recordBytes);

  constructor(path: string) {
    this.#fd = openSync(path, 'w+', 0o660);
    writeSync(this.#fd, this.#buffer, 0, recordBytes, 0);
  }

  read(): FlightRecord {
    readSync(this.#fd, this.#buffer, 0, recordBytes, 0);
    return {
      request: this.#buffer.readUInt32LE(0),
      database: this.#buffer.readUInt32LE(4),
      startedAtNs: this.#buffer.readBigUInt64LE(8),
    };
  }

  close(): void {
    closeSync(this.#fd);
  }
}
