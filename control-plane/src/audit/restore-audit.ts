import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import { auditHead, insertExported, noteExported } from '../catalog/audit-log.js';
import type { CatalogConnection } from '../catalog/catalog-connection.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import { linkFault, type ChainHead } from './audit-chain.js';
import type { AuditEntry } from './audit-entry.js';
import { auditKeys, parseAuditObject } from './audit-object.js';

/**
 * Takes the exported audit log back into a catalog that has none, so that the chain goes on where it stood: a catalog that
 * was lost must not begin another one. Asks the store for one page of names when the log is empty, and for nothing
 * otherwise. Returns how many entries came back. Throws `AUDIT_DAMAGED` and the errors of the store.
 */
export async function restoreAuditLog(
  store: Pick<ObjectStore, 'get' | 'list'>,
  catalog: CatalogConnection,
): Promise<number> {
  let { head }: { head: ChainHead } = await auditHead(catalog, []);
  if (head.sequence > 0) return 0;
  for await (const key of auditKeys(store)) {
    const object = await store.get(key);
    if (object === undefined) throw new ControlPlaneError('AUDIT_DAMAGED', `the audit object ${key} is gone`);
    const { entries } = parseAuditObject(key, object.body);
    for (const entry of entries) {
      const fault = linkFault(head, entry);
      if (fault !== undefined) {
        throw new ControlPlaneError('AUDIT_DAMAGED', `the audit object ${key} is damaged: ${fault}`);
      }
      head = { sequence: entry.sequence, hash: entry.hash };
    }
    await insertExported(
      catalog,
      entries.map((entry) => {
        const { id, organization } = JSON.parse(entry.entry) as AuditEntry;
        return { ...entry, id, organization };
      }),
    );
  }
  await noteExported(catalog, head.sequence);
  return head.sequence;
}
