/**
 * Compares the catalog with what the manifests say, and puts back what a catalog has lost. The manifests are the truth
 * about which databases there are; nothing is ever deleted because the catalog, or the data plane, does not have it.
 */
import type { AccessRulesPublisher } from '../access/access-rules-publisher.js';
import type { CatalogConnection } from '../catalog/catalog-connection.js';
import { catalogAddress } from '../catalog/open-catalog.js';
import { databasesOfManifests, insertRebuilt, readyDatabaseCount, rowsWithout } from '../catalog/rebuild.js';
import type { Clock } from '../clock.js';
import type { AdminClient, InventoryEntry } from '../data-node/admin-client.js';

export interface Drift {
  readonly kind:
    /** The data plane has it, the catalog has not. */
    | 'missing in the catalog'
    /** The catalog has it as ready, the data plane has not, or has it as deleted. */
    | 'missing on the data plane'
    /** Name, group or engine are not the same. */
    | 'different';
  readonly database: string;
  readonly name: string;
  readonly detail: string;
}

export interface DriftReport {
  /** Databases that were looked at. */
  readonly manifests: number;
  readonly rows: number;
  readonly drift: readonly Drift[];
  /** Databases that were put back into the catalog. */
  readonly rebuilt: number;
}

const batchSize = 200;
/** Of the drift that is reported, at most. */
const maxReported = 1_000;
/** What is younger may be on its way: the catalog learns of it last, or first. */
const settledAfterMs = 60_000;

/** Reads every manifest; `rebuild` puts back what is missing in the catalog. */
export async function findDrift(
  {
    catalog,
    admin,
    accessRules,
    clock,
    primaryRegion,
  }: {
    readonly catalog: CatalogConnection;
    readonly admin: AdminClient;
    readonly accessRules: AccessRulesPublisher;
    readonly clock: Clock;
    readonly primaryRegion: string;
  },
  { rebuild }: { readonly rebuild: boolean },
): Promise<DriftReport> {
  if (rebuild) await accessRules.takeBack();
  const drift: Drift[] = [];
  const present: string[] = [];
  let manifests = 0;
  let rebuilt = 0;
  const look = async (entries: readonly InventoryEntry[]): Promise<void> => {
    const rows = await databasesOfManifests(
      catalog,
      entries.map(({ id }) => id),
    );
    const missing: InventoryEntry[] = [];
    for (const entry of entries) {
      const row = rows.get(entry.id);
      if (row === undefined) {
        missing.push(entry);
        drift.push({
          kind: 'missing in the catalog',
          database: entry.id,
          name: entry.name,
          detail: `the data plane has it in the group ${entry.group.name} of ${entry.organization}`,
        });
        continue;
      }
      const differences = [
        row.name === entry.name ? undefined : `the name ${entry.name} there, ${row.name} here`,
        row.addressOrganization === entry.organization
          ? undefined
          : `the organization ${entry.organization} there, ${row.addressOrganization} here`,
        row.groupUuid === entry.group.id ? undefined : `the group ${entry.group.id} there, ${row.groupUuid} here`,
        row.engine === entry.engine ? undefined : `the engine ${entry.engine} there, ${row.engine} here`,
      ].filter((each) => each !== undefined);
      if (differences.length > 0) {
        drift.push({ kind: 'different', database: entry.id, name: entry.name, detail: differences.join('; ') });
      }
    }
    if (rebuild && missing.length > 0) rebuilt += await insertRebuilt(catalog, missing, primaryRegion, clock.now());
  };

  const settledBeforeMs = clock.now() - settledAfterMs;
  let batch: InventoryEntry[] = [];
  for await (const entry of admin.inventory()) {
    if (entry.organization === catalogAddress.organization || entry.deletedAtMs !== undefined) continue;
    manifests += 1;
    present.push(entry.id);
    if (entry.createdAtMs > settledBeforeMs && !rebuild) continue;
    batch.push(entry);
    if (batch.length < batchSize) continue;
    await look(batch);
    batch = [];
  }
  await look(batch);

  for (const { uuid, name } of await rowsWithout(catalog, present, settledBeforeMs)) {
    drift.push({
      kind: 'missing on the data plane',
      database: uuid,
      name,
      detail: 'undelete it or restore it from a backup, or delete it here',
    });
  }
  return { manifests, rows: await readyDatabaseCount(catalog), drift: drift.slice(0, maxReported), rebuilt };
}
