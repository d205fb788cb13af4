/** What is known of databases from the store alone, without opening or owning them. */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import { pageBytes } from '../storage/fragment.js';
import { readGenerationWithoutKey } from '../storage/generation.js';
import { lineOf } from '../storage/manifest.js';
import { description } from './database-records.js';
import type { InventoryEntry } from './database-service.js';
import type { NodeContext } from './node-context.js';

/** Manifests that are read at the same time. */
const parallelReads = 16;

/** Databases that there are or were, after the one with the id `after`, at most `limit`. Throws `STORE_UNAVAILABLE`. */
export async function listDatabases(
  { manifests }: Pick<NodeContext, 'manifests'>,
  after: DatabaseId | undefined,
  limit: number,
): Promise<InventoryEntry[]> {
  const ids: DatabaseId[] = [];
  for await (const id of manifests.list(after)) {
    if (ids.length === limit) break;
    ids.push(id);
  }
  const entries: InventoryEntry[] = [];
  for (let from = 0; from < ids.length; from += parallelReads) {
    const found = await Promise.all(ids.slice(from, from + parallelReads).map(async (id) => manifests.read(id)));
    for (const each of found) {
      if (each === undefined) continue;
      const { deletedAtMs, holds } = each.manifest;
      const state = { ...(deletedAtMs !== undefined && { deletedAtMs }), ...(holds && { holds }) };
      entries.push({ ...description(each.manifest), ...state });
    }
  }
  return entries;
}

/** The bytes of the database's file as it was folded last. Throws `DATABASE_NOT_FOUND`, `STORE_…`. */
export async function storedBytes(
  { manifests, runtime, dataStore }: Pick<NodeContext, 'manifests' | 'runtime' | 'dataStore'>,
  id: DatabaseId,
): Promise<number> {
  const found = await manifests.read(id);
  if (!found || found.manifest.deletedAtMs !== undefined) {
    throw new ByocError('DATABASE_NOT_FOUND', 'database not found');
  }
  const { generation } = found.manifest;
  if (!generation) return 0;
  const { databasePages } = await readGenerationWithoutKey(runtime, dataStore, lineOf(found.manifest), generation);
  return databasePages * pageBytes;
}
