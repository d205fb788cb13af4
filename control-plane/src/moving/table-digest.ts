import { createHash } from 'node:crypto';
import type { Client, Value } from '@libsql/client';
import type { MovedTable } from './schema.js';
import { pagesAfter } from './table-pages.js';

export interface TableDigest {
  readonly rows: number;
  /** SHA-256 over keys and values with their types, in the order of the keys; hexadecimal. */
  readonly digest: string;
}

/** Reads a whole table. Two databases that hold the same rows give the same digest, whatever server they are on. */
export async function digestTable(client: Client, table: MovedTable): Promise<TableDigest> {
  const hash = createHash('sha256');
  let rows = 0;
  for await (const page of pagesAfter(client, table)) {
    rows += page.length;
    for (const row of page) for (const value of row) hash.update(encoded(value));
  }
  return { rows, digest: hash.digest('hex') };
}

/** A value so that no two differ in nothing but where one ends: type, length, content. */
function encoded(value: Value): Buffer {
  if (value === null) return Buffer.from('n');
  if (typeof value === 'bigint') return Buffer.from(`i${value};`);
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(9);
    bytes.write('r');
    bytes.writeDoubleBE(value, 1);
    return bytes;
  }
  const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.from(value);
  return Buffer.concat([Buffer.from(`${typeof value === 'string' ? 't' : 'b'}${bytes.length}:`), bytes]);
}
