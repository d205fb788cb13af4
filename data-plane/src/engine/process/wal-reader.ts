/**
 * Reads the commits that the engine appended to a `-wal` file (SQLite file format, section 4).
 *
 * A frame counts only when its salts are those of the header and its checksum continues the running one; a commit is
 * the frames up to one whose header carries the size of the database. Everything after the last such frame is ignored
 * and looked at again next time: frames of an open transaction that did not fit the cache, and what a rollback left
 * behind, are overwritten from that very position.
 */
import { closeSync, fstatSync, openSync, readSync, truncateSync, writeSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import type { WalIndexState } from './wal-index.js';

export const walHeaderBytes = 32;
const frameHeaderBytes = 24;
const pageBytes = 4096;
export const walFrameBytes = frameHeaderBytes + pageBytes;
/** Checksums in little-endian words; the engines write the byte order of the machine, and every supported one is little endian. */
const magic = 0x377f0682;
const walVersion = 3_007_000;
/** Most commits are this small; only longer ones read on in long pieces. */
const firstPieceFrames = 8;
const pieceFrames = 64;

/** Memory for reading, shared by all databases of the process: it is in use only during one call. */
export interface WalScratch {
  readonly bytes: Buffer;
  readonly view: DataView;
}

export function newWalScratch(): WalScratch {
  const memory = new ArrayBuffer(pieceFrames * walFrameBytes);
  return { bytes: Buffer.from(memory), view: new DataView(memory) };
}

export interface WalCommit {
  /** Size of the database after the commit, in pages. */
  readonly databasePages: number;
  /** Frames the commit appended. */
  readonly frameCount: number;
  /** Page number → number of the frame with the page's last content in this commit. */
  readonly pages: ReadonlyMap<number, number>;
}

/** A frame as it is appended: the last one of a transaction says how large the database is after it, others 0. */
export interface AppendedFrame {
  readonly page: number;
  readonly databasePages: number;
  readonly content: Uint8Array;
}

export class WalReader {
  readonly #path: string;
  readonly #scratch: WalScratch;
  #fd: number | undefined;
  #salts: { readonly first: number; readonly second: number } | undefined;
  /** Frames consumed; the next one starts behind them. */
  #frames = 0;
  #sum0 = 0;
  #sum1 = 0;
  /** The frames that lie in the scratch memory now. */
  #pieceStart = 0;
  #pieceLength = 0;

  constructor(databasePath: string, scratch: WalScratch) {
    this.#path = `${databasePath}-wal`;
    this.#scratch = scratch;
  }

  /** Frames of all commits read since the WAL last started anew. */
  get frames(): number {
    return this.#frames;
  }

  /** True when exactly these frames of this WAL have been read. */
  isAt(state: WalIndexState): boolean {
    if (state.committedFrames !== this.#frames) return false;
    if (this.#frames === 0) return true;
    return state.firstSalt === this.#salts?.first && state.secondSalt === this.#salts.second;
  }

  /**
   * The next whole and valid commit, or undefined when there is none (yet). Its pages can be copied until the next
   * call of any reader that shares the scratch memory.
   */
  nextCommit(): WalCommit | undefined {
    if (!this.#openWal() || !this.#readHeader()) return undefined;
    const { view } = this.#scratch;
    const salts = this.#salts;
    let sum0 = this.#sum0;
    let sum1 = this.#sum1;
    const pages = new Map<number, number>();
    this.#pieceLength = 0;
    for (let frame = this.#frames; ; frame++) {
      if (frame >= this.#pieceStart + this.#pieceLength || this.#pieceLength === 0) {
        this.#load(frame, frame === this.#frames ? firstPieceFrames : pieceFrames);
        if (this.#pieceLength === 0) return undefined;
      }
      const at = (frame - this.#pieceStart) * walFrameBytes;
      if (view.getUint32(at + 8) !== salts?.first || view.getUint32(at + 12) !== salts.second) return undefined;
      const end = at + walFrameBytes;
      sum0 = (sum0 + view.getInt32(at, true) + sum1) | 0;
      sum1 = (sum1 + view.getInt32(at + 4, true) + sum0) | 0;
      for (let word = at + frameHeaderBytes; word < end; word += 8) {
        sum0 = (sum0 + view.getInt32(word, true) + sum1) | 0;
        sum1 = (sum1 + view.getInt32(word + 4, true) + sum0) | 0;
      }
      if (view.getInt32(at + 16) !== sum0 || view.getInt32(at + 20) !== sum1) return undefined;
      pages.set(view.getUint32(at), frame);
      const databasePages = view.getUint32(at + 4);
      if (databasePages !== 0) {
        const frameCount = frame + 1 - this.#frames;
        this.#frames = frame + 1;
        this.#sum0 = sum0;
        this.#sum1 = sum1;
        return { databasePages, frameCount, pages };
      }
    }
  }

  /** Copies the 4096 bytes of the page in `frame` of the commit that was read last. */
  copyPage(frame: number, target: Buffer, offset: number): void {
    const piece = frame - this.#pieceStart;
    if (piece >= 0 && piece < this.#pieceLength) {
      const at = piece * walFrameBytes + frameHeaderBytes;
      this.#scratch.bytes.copy(target, offset, at, at + pageBytes);
      return;
    }
    const at = walHeaderBytes + frame * walFrameBytes + frameHeaderBytes;
    if (this.#fd === undefined || readSync(this.#fd, target, offset, pageBytes, at) !== pageBytes) {
      throw new Error(`frame ${frame} of ${this.#path} is gone`);
    }
  }

  /** Size of the WAL file. */
  sizeBytes(): number {
    return this.#openWal() && this.#fd !== undefined ? fstatSync(this.#fd).size : 0;
  }

  /** Bytes behind the last commit: frames of an open transaction, or remains of one that was rolled back. */
  trailingBytes(): number {
    return Math.max(0, this.sizeBytes() - walHeaderBytes - this.#frames * walFrameBytes);
  }

  /** Cuts off what lies behind the last commit. Only while no transaction writes, and never with the Turso engine. */
  trim(): void {
    if (this.#salts) truncateSync(this.#path, walHeaderBytes + this.#frames * walFrameBytes);
  }

  /**
   * Appends whole transactions behind the last commit, for `nextCommit` to find. Only while no transaction writes, and never
   * with the Turso engine, which keeps its place in memory.
   */
  append(frames: readonly AppendedFrame[]): void {
    const fd = openSync(this.#path, 'r+');
    try {
      if (!this.#openWal() || !this.#readHeader()) this.#startWal(fd);
      const { first = 0, second = 0 } = this.#salts ?? {};
      const bytes = Buffer.allocUnsafe(frames.length * walFrameBytes);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      let sum0 = this.#sum0;
      let sum1 = this.#sum1;
      const add = (from: number, to: number): void => {
        for (let word = from; word < to; word += 8) {
          sum0 = (sum0 + view.getInt32(word, true) + sum1) | 0;
          sum1 = (sum1 + view.getInt32(word + 4, true) + sum0) | 0;
        }
      };
      frames.forEach(({ page, databasePages, content }, index) => {
        const at = index * walFrameBytes;
        view.setUint32(at, page);
        view.setUint32(at + 4, databasePages);
        view.setUint32(at + 8, first);
        view.setUint32(at + 12, second);
        bytes.set(content, at + frameHeaderBytes);
        add(at, at + 8);
        add(at + frameHeaderBytes, at + walFrameBytes);
        view.setInt32(at + 16, sum0);
        view.setInt32(at + 20, sum1);
      });
      writeWhole(fd, bytes, walHeaderBytes + this.#frames * walFrameBytes);
    } finally {
      closeSync(fd);
    }
  }

  /** To be called after the WAL was truncated: it starts anew with another header. */
  restart(): void {
    this.#salts = undefined;
    this.#frames = 0;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #openWal(): boolean {
    if (this.#fd !== undefined) return true;
    try {
      this.#fd = openSync(this.#path, 'r');
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  }

  /**
   * Looks at the header every time: when a checkpoint copied every frame but could not truncate, the next write starts
   * the WAL anew from its beginning with other salts. What it held before was read by then.
   */
  #readHeader(): boolean {
    const { bytes, view } = this.#scratch;
    this.#pieceLength = 0;
    if (this.#fd === undefined || readSync(this.#fd, bytes, 0, walHeaderBytes, 0) < walHeaderBytes) return false;
    const first = view.getUint32(16);
    const second = view.getUint32(20);
    if (this.#salts?.first === first && this.#salts.second === second) return true;
    if (view.getUint32(0) !== magic || view.getUint32(8) !== pageBytes) return false;
    let sum0 = 0;
    let sum1 = 0;
    for (let word = 0; word < frameHeaderBytes; word += 8) {
      sum0 = (sum0 + view.getInt32(word, true) + sum1) | 0;
      sum1 = (sum1 + view.getInt32(word + 4, true) + sum0) | 0;
    }
    if (view.getInt32(24) !== sum0 || view.getInt32(28) !== sum1) return false;
    this.#salts = { first, second };
    this.#frames = 0;
    this.#sum0 = sum0;
    this.#sum1 = sum1;
    return true;
  }

  /** Writes the header of a WAL that is empty. */
  #startWal(fd: number): void {
    const header = Buffer.alloc(walHeaderBytes);
    header.writeUInt32BE(magic, 0);
    header.writeUInt32BE(walVersion, 4);
    header.writeUInt32BE(pageBytes, 8);
    randomBytes(8).copy(header, 16);
    let sum0 = 0;
    let sum1 = 0;
    for (let word = 0; word < frameHeaderBytes; word += 8) {
      sum0 = (sum0 + header.readInt32LE(word) + sum1) | 0;
      sum1 = (sum1 + header.readInt32LE(word + 4) + sum0) | 0;
    }
    header.writeInt32BE(sum0, 24);
    header.writeInt32BE(sum1, 28);
    writeWhole(fd, header, 0);
    if (!this.#openWal() || !this.#readHeader()) throw new Error(`the WAL ${this.#path} could not be begun`);
  }

  #load(frame: number, count: number): void {
    this.#pieceStart = frame;
    const at = walHeaderBytes + frame * walFrameBytes;
    const read = this.#fd === undefined ? 0 : readSync(this.#fd, this.#scratch.bytes, 0, count * walFrameBytes, at);
    this.#pieceLength = Math.floor(read / walFrameBytes);
  }
}

function writeWhole(fd: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}
