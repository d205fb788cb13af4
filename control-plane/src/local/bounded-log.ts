import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';

/** A log file that keeps at most the last two times `maxBytes`: when it is full it becomes `<path>.1` and begins anew. */
export class BoundedLog {
  #file: number;
  #sizeBytes: number;
  #closed = false;

  constructor(
    readonly path: string,
    private readonly maxBytes: number,
  ) {
    this.#file = openSync(path, 'a', 0o600);
    this.#sizeBytes = fstatSync(this.#file).size;
  }

  /** Appends one line. Lines that arrive after the log was closed, from a process that has ended, are dropped. */
  write(line: string): void {
    if (this.#closed) return;
    const bytes = Buffer.from(`${line}\n`);
    if (this.#sizeBytes > 0 && this.#sizeBytes + bytes.length > this.maxBytes) {
      closeSync(this.#file);
      renameSync(this.path, `${this.path}.1`);
      this.#file = openSync(this.path, 'a', 0o600);
      this.#sizeBytes = 0;
    }
    writeSync(this.#file, bytes);
    this.#sizeBytes += bytes.length;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#file);
  }
}
