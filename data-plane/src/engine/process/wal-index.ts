import { closeSync, openSync, readSync, writeSync } from 'node:fs';

/** Fields of the wal-index header (SQLite file format, section 4.6 and `WalIndexHdr`). */
const lastFrameOffset = 16;
const saltsOffset = 32;
const fieldsBytes = 40;
/** The header stands twice. */
const headersBytes = 2 * 48;

export interface WalIndexState {
  /** Number of committed frames in the WAL since it last started anew. */
  readonly committedFrames: number;
  /** The salts of the WAL these frames belong to. */
  readonly firstSalt: number;
  readonly secondSalt: number;
}

/**
 * The header of the `-shm` file in which SQLite notes how many frames of the WAL are committed. It tells without doubt
 * whether the WAL reader saw everything the engine committed. The file stays open until the database closes: closing
 * any descriptor of it would drop the process's locks on it.
 */
export class WalIndex {
  readonly #path: string;
  readonly #header = Buffer.alloc(fieldsBytes);
  #fd: number | undefined;

  constructor(databasePath: string) {
    this.#path = `${databasePath}-shm`;
  }

  /** What the engine committed so far; no frames when there is no wal-index yet. */
  read(): WalIndexState {
    if (this.#fd === undefined) {
      try {
        this.#fd = openSync(this.#path, 'r+');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
    if (this.#fd === undefined || readSync(this.#fd, this.#header, 0, fieldsBytes, 0) !== fieldsBytes) {
      return { committedFrames: 0, firstSalt: 0, secondSalt: 0 };
    }
    return {
      committedFrames: this.#header.readUInt32LE(lastFrameOffset),
      // The salts are kept as they stand in the WAL header, which is big endian.
      firstSalt: this.#header.readUInt32BE(saltsOffset),
      secondSalt: this.#header.readUInt32BE(saltsOffset + 4),
    };
  }

  /**
   * Makes the engine read the whole WAL anew before anything else: that is how it begins after a crash. Only while no
   * transaction writes; those that read keep what they see.
   */
  invalidate(): void {
    if (this.#fd !== undefined) writeSync(this.#fd, Buffer.alloc(headersBytes), 0, headersBytes, 0);
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
