import { ByocError } from '../errors/catalogue.js';
import { ciphers } from '../keys/ciphers.js';
import { pageBytes } from '../storage/fragment.js';
import type { DatabaseEncryption } from '../storage/manifest.js';

/** Bytes of the file header of SQLite. */
export const fileHeaderBytes = 100;

/** Bytes at the end of pages that ciphers of clients need; a file may have any of these when the key service wraps its key. */
const usualReservedBytes = new Set([0, ...Object.values(ciphers).map(({ reservedBytes }) => reservedBytes)]);

/**
 * The bytes that a SQLite file keeps free at the end of its pages, read from its header. Throws `UPLOAD_INVALID` for a file
 * that cannot become a database, as far as its header (SQLite file format, section 1.3) tells.
 */
export function reservedBytesOf(header: Buffer, sizeBytes: number, encryption: DatabaseEncryption): number {
  const refuse = (reason: string): never => {
    throw new ByocError('UPLOAD_INVALID', reason);
  };
  if (header.length < fileHeaderBytes || header.toString('latin1', 0, 16) !== 'SQLite format 3\0') {
    refuse('the file does not begin like a SQLite database');
  }
  const storedPageSize = header.readUInt16BE(16);
  const pageSize = storedPageSize === 1 ? 65_536 : storedPageSize;
  if (pageSize !== pageBytes)
    refuse(`the file has pages of ${pageSize} bytes; set PRAGMA page_size = 4096, then VACUUM`);
  if (header.readUInt8(18) !== 2 || header.readUInt8(19) !== 2) {
    refuse('the file is not in WAL mode; set PRAGMA journal_mode = wal, then close it');
  }
  const pages = header.readUInt32BE(28);
  if (pages !== sizeBytes / pageBytes || header.readUInt32BE(24) !== header.readUInt32BE(92)) {
    refuse(
      `the header says ${pages} pages, the file has ${sizeBytes / pageBytes}; run PRAGMA wal_checkpoint(TRUNCATE)`,
    );
  }
  const schemaFormat = header.readUInt32BE(44);
  if (schemaFormat > 4) refuse(`the file has schema format ${schemaFormat}`);
  if (header.readUInt32BE(52) !== 0) refuse('the file vacuums itself; set PRAGMA auto_vacuum = none, then VACUUM');
  // A database in which nothing was ever made has no encoding yet.
  if (header.readUInt32BE(56) > 1) refuse('the text encoding of the file is not UTF-8');
  const reservedBytes = header.readUInt8(20);
  if (encryption.mode === 'client') {
    const wanted = ciphers[encryption.cipher].reservedBytes;
    if (reservedBytes !== wanted) {
      refuse(`the cipher ${encryption.cipher} needs ${wanted} reserved bytes per page, the file has ${reservedBytes}`);
    }
  } else if (!usualReservedBytes.has(reservedBytes)) {
    refuse(`the file has ${reservedBytes} reserved bytes per page, which no cipher of a client needs`);
  }
  return reservedBytes;
}
