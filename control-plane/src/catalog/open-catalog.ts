import { randomUUID } from 'node:crypto';
import { newDatabaseId, type DatabaseId } from '@turso-byoc/data-plane/identity.js';
import { hostLabel, systemOrganization } from '@turso-byoc/data-plane/naming/host-label.js';
import type { TokenMinter } from '../auth/token-minter.js';
import type { Clock } from '../clock.js';
import { AdminRefusal, type AdminClient } from '../data-node/admin-client.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import { CatalogConnection, catalogTokenLifetimeSeconds, type CatalogConnectionOptions } from './catalog-connection.js';
import { migrateCatalog } from './migrations.js';
import { mintedTokenRecord } from './minted-tokens.js';

/** The catalog's own address on the data plane. No call of the Platform API reaches this organization. */
export const catalogAddress = { database: 'catalog', organization: systemOrganization } as const;

export interface OpenCatalogOptions {
  readonly admin: AdminClient;
  readonly minter: TokenMinter;
  readonly clock: Clock;
  /** The data plane's URL, with a trailing slash. */
  readonly dataUrl: string;
  readonly organization: string;
  readonly primaryRegion: string;
  /** How long the first contact may take. */
  readonly startBudgetMs: number;
  readonly retryBudgetMs: number;
  readonly attemptTimeoutMs: number;
  /** Ends the waiting for the data plane. */
  readonly signal: AbortSignal;
  readonly onCall?: CatalogConnectionOptions['onCall'];
  readonly tracing?: CatalogConnectionOptions['tracing'];
}

/** Creates the catalog database if there is none, brings it to this release's version and returns a connection. */
export async function openCatalog(options: OpenCatalogOptions): Promise<CatalogConnection> {
  const { admin, minter, clock } = options;
  const id = await ensureCatalogDatabase(admin, clock, options.startBudgetMs);
  const catalog = new CatalogConnection({
    url: new URL(`db/${hostLabel(catalogAddress)}/`, options.dataUrl).href,
    mintToken: async () =>
      minter.mint({
        kind: 'database',
        subject: id,
        access: 'rw',
        mintedBy: 'control-plane',
        lifetimeSeconds: catalogTokenLifetimeSeconds,
      }),
    tokenRecord: mintedTokenRecord,
    clock,
    retryBudgetMs: options.retryBudgetMs,
    attemptTimeoutMs: options.attemptTimeoutMs,
    onCall: options.onCall,
    tracing: options.tracing,
  });
  await catalog.waitUntilReachable(options.startBudgetMs, options.signal);
  await migrateCatalog(catalog, clock, options);
  catalog.startRecordingTokens();
  return catalog;
}

/** The id of the catalog database. Of several control planes that find none at once, one creates it. */
async function ensureCatalogDatabase(admin: AdminClient, clock: Clock, budgetMs: number): Promise<DatabaseId> {
  const { database: name, organization } = catalogAddress;
  const existing = await admin.findByName(organization, name, budgetMs);
  if (existing !== undefined) return existing.id;
  const id = newDatabaseId('libsql', clock.now());
  try {
    await admin.create({ id, name, organization, group: { id: randomUUID(), name: organization }, engine: 'libsql' });
    return id;
  } catch (error) {
    if (!(error instanceof AdminRefusal) || error.code !== 'DATABASE_EXISTS') throw error;
    const winner = await admin.findByName(organization, name, budgetMs);
    if (winner === undefined) {
      throw new ControlPlaneError('DATA_PLANE_REFUSED', 'the catalog database exists but cannot be found', {
        cause: error,
      });
    }
    return winner.id;
  }
}
