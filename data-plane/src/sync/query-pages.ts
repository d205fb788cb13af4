/**
 * Which pages a query of a partial replica reads, as far as that can be told without running it: those of the b-trees that
 * it opens, from the root down. A client asks for any other page when it meets it, so too few or too many cost time only.
 */
import type { DatabaseSnapshot, PageContent } from '../storage/database-snapshot.js';
import { PageSet } from '../storage/page-set.js';

/** Most pages that are chosen: 16 MiB, the upper levels of all trees first. */
export const mostQueryPages = 4_096;

/** Deeper no tree of the largest database is; a damaged page must not lead in circles. */
const mostLevels = 20;
const fileHeaderBytes = 100;
const indexInterior = 2;
const tableInterior = 5;
const interiorHeaderBytes = 12;

/** The pages of the b-trees with these roots and of the schema, page 1 among them. Throws the errors of the store. */
export async function queryPages(snapshot: DatabaseSnapshot, roots: readonly number[]): Promise<PageSet> {
  const chosen = new PageSet(snapshot.databasePages);
  let left = mostQueryPages;
  let level = [1, ...roots];
  for (let depth = 0; depth < mostLevels && level.length > 0 && left > 0; depth++) {
    const wanted = new PageSet(snapshot.databasePages);
    for (const page of level) {
      if (left === 0 || page < 1 || page > snapshot.databasePages || chosen.has(page)) continue;
      chosen.add(page);
      wanted.add(page);
      left -= 1;
    }
    const children = new Map<number, number[]>();
    const look = (pages: readonly PageContent[]): void => {
      for (const { page, content } of pages) children.set(page, childrenOf(page, content));
    };
    for await (const pages of snapshot.changed(wanted)) look(pages);
    for await (const pages of snapshot.unchanged(wanted)) look(pages);
    // In the order of their keys.
    level = level.flatMap((page) => children.get(page) ?? []);
  }
  return chosen;
}

/** The pages below one page of a b-tree, in the order of their keys; none for a leaf. */
function childrenOf(page: number, content: Uint8Array): number[] {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const start = page === 1 ? fileHeaderBytes : 0;
  const type = bytes.readUInt8(start);
  if (type !== indexInterior && type !== tableInterior) return [];
  const cells = bytes.readUInt16BE(start + 3);
  const pointers = start + interiorHeaderBytes;
  const children: number[] = [];
  for (let cell = 0; cell < cells && pointers + cell * 2 + 2 <= bytes.length; cell++) {
    const at = bytes.readUInt16BE(pointers + cell * 2);
    if (at + 4 <= bytes.length) children.push(bytes.readUInt32BE(at));
  }
  children.push(bytes.readUInt32BE(start + 8));
  return children;
}
