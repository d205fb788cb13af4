import type { DatabaseId } from '../../src/identity.js';
import { RecoveredDatabases, type LoggedTerm } from '../../src/ownership/recovered-databases.js';
import { atOnce } from '../../src/turns.js';

/** What a recovery record says of these databases. */
export function recovered(databases: Readonly<Record<DatabaseId, readonly LoggedTerm[]>> = {}): RecoveredDatabases {
  return atOnce(RecoveredDatabases.from(Object.entries(databases) as [DatabaseId, readonly LoggedTerm[]][]));
}
