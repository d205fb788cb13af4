import type { DatabaseService, DatabaseRequest, SqlResponse } from '../database/database-service.js';
import { isByocError } from '../errors/catalogue.js';
import type { GrantedAccess } from './database-access.js';

/**
 * Runs a request on the database that it was granted. A name may be remembered for a database that was deleted through
 * another node, and belong to a new one by now: then access is granted once more. Throws what the database throws.
 */
export async function executeGranted(
  databases: Pick<DatabaseService, 'execute'>,
  { database, readOnly, restrictions, admission }: GrantedAccess,
  request: Pick<DatabaseRequest, 'kind' | 'body' | 'signal' | 'isForwarded' | 'clientKey' | 'requestId' | 'trace'>,
  grantAgain: () => Promise<GrantedAccess>,
): Promise<SqlResponse> {
  request.trace?.set({ 'turso.database.id': database.id });
  try {
    return await databases.execute(database.id, { ...request, readOnly, restrictions, admission });
  } catch (error) {
    if (!isByocError(error, 'DATABASE_NOT_FOUND')) throw error;
    const now = await grantAgain();
    if (now.database.id === database.id) throw error;
    const { id } = now.database;
    request.trace?.set({ 'turso.database.id': id });
    return databases.execute(id, {
      ...request,
      readOnly: now.readOnly,
      restrictions: now.restrictions,
      admission: now.admission,
    });
  }
}
