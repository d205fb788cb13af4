import type { Logger } from 'pino';
import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import {
  auditHead,
  chainHeadAt,
  entriesAfter,
  exportedUpTo,
  insertExported,
  noteExported,
} from '../catalog/audit-log.js';
import type { CatalogConnection } from '../catalog/catalog-connection.js';
import { ControlPlaneError, isControlPlaneError } from '../errors/catalogue.js';
import { linkFault, type ChainHead } from './audit-chain.js';
import type { AuditEntry } from './audit-entry.js';
import { auditKeys, parseAuditObject } from './audit-object.js';

/**
 * Takes what was exported of the audit log back into a catalog that has lost it, all of it or, when the catalog is one of an
 * earlier time (from a backup), its end: the chain goes on where it stood, and no second one begins. Asks the store for
 * one page of names when nothing is missing. Returns how many entries came back.
 *
 * Throws `AUDIT_DAMAGED` when a catalog without entries cannot have them back, and the errors of the store. Where a catalog with entries has
 * gone another way than the export, nothing more is taken and the log says so, as the next export does.
 */
export async function restoreAuditLog(
  store: Pick<ObjectStore, 'get' | 'list'>,
  catalog: CatalogConnection,
  logger: Logger,
): Promise<number> {
  const { head: last } = await auditHead(catalog, []);
  try {
    return await takeBack(store, catalog, last);
  } catch (error) {
    if (last.sequence === 0 || !isControlPlaneError(error, 'AUDIT_DAMAGED')) throw error;
    logger.error({ err: error }, 'entries of the audit log cannot be taken back from its export');
    return 0;
  }
}

async function takeBack(
  store: Pick<ObjectStore, 'get' | 'list'>,
  catalog: CatalogConnection,
  last: ChainHead,
): Promise<number> {
  let head = await chainHeadAt(catalog, await exportedUpTo(catalog));
  for await (const key of auditKeys(store, head.sequence)) {
    const damaged = (why: string): ControlPlaneError =>
      new ControlPlaneError('AUDIT_DAMAGED', `the audit object ${key} ${why}`);
    const object = await store.get(key);
    if (object === undefined) throw damaged('is gone');
    const { entries } = parseAuditObject(key, object.body);
    const held = (await entriesAfter(catalog, head.sequence, entries.length)).at(-1);
    for (const entry of entries) {
      const fault = linkFault(head, entry);
      if (fault !== undefined) throw damaged(`is damaged: ${fault}`);
      head = { sequence: entry.sequence, hash: entry.hash };
      if (head.sequence === held?.sequence && head.hash !== held.hash)
        throw damaged("is of another chain than the catalog's");
    }
    await insertExported(
      catalog,
      entries.map((entry) => {
        const { id, organization } = JSON.parse(entry.entry) as AuditEntry;
        return { ...entry, id, organization };
      }),
    );
    await noteExported(catalog, head.sequence);
  }
  return Math.max(0, head.sequence - last.sequence);
}
