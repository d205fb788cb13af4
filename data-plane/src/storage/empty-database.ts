const pageBytes = 4096;

/**
 * A valid SQLite database of one 4096-byte page without tables: WAL mode, UTF-8, schema format 4, and `reservedBytes`
 * (0 to 255) unused bytes at the end of every page. Both engines open it. Throws `RangeError` for other numbers.
 */
export function emptyDatabaseImage(reservedBytes: number): Buffer {
  if (!Number.isInteger(reservedBytes) || reservedBytes < 0 || reservedBytes > 255) {
    throw new RangeError(`a page cannot reserve ${reservedBytes} bytes`);
  }
  const page = Buffer.alloc(pageBytes);
  page.write('SQLite format 3\0', 0, 'latin1');
  page.writeUInt16BE(pageBytes, 16);
  page.writeUInt8(2, 18); // written in WAL mode
  page.writeUInt8(2, 19); // read in WAL mode
  page.writeUInt8(reservedBytes, 20);
  page.writeUInt8(64, 21); // maximum embedded payload fraction, fixed
  page.writeUInt8(32, 22); // minimum embedded payload fraction, fixed
  page.writeUInt8(32, 23); // leaf payload fraction, fixed
  page.writeUInt32BE(1, 24); // file change counter
  page.writeUInt32BE(1, 28); // size in pages
  page.writeUInt32BE(4, 44); // schema format
  page.writeUInt32BE(1, 56); // text encoding: UTF-8
  page.writeUInt32BE(1, 92); // the change counter for which the size is valid
  page.writeUInt32BE(3_045_001, 96); // SQLite version that wrote it: one that knows all of this
  page.writeUInt8(13, 100); // leaf page of a table: the schema
  page.writeUInt16BE(pageBytes - reservedBytes, 105); // start of the cell content area
  return page;
}
