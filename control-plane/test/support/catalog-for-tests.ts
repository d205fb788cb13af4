import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TokenMinter } from '../../src/auth/token-minter.js';
import { CatalogConnection } from '../../src/catalog/catalog-connection.js';
import { migrateCatalog } from '../../src/catalog/migrations.js';
import { mintedTokenRecord } from '../../src/catalog/minted-tokens.js';
import type { Clock } from '../../src/clock.js';
import type { TokenSigner } from '../../src/auth/token-signer.js';

export interface CatalogForTests {
  readonly catalog: CatalogConnection;
  /** Another connection to the same catalog, as another replica has. */
  readonly another: () => CatalogConnection;
  readonly directory: string;
  readonly close: () => Promise<void>;
}

/** The real catalog, with its real schema, in a file instead of on a data plane. */
export async function openCatalogForTests(signer: TokenSigner, clock: Clock): Promise<CatalogForTests> {
  const directory = await mkdtemp(join(tmpdir(), 'catalog-'));
  const connections: CatalogConnection[] = [];
  const connect = (): CatalogConnection => {
    const connection = new CatalogConnection({
      url: `file:${join(directory, 'catalog.db')}`,
      mintToken: async () =>
        new TokenMinter(signer, clock).mint({ kind: 'database', subject: 'catalog', access: 'rw', mintedBy: 'test' }),
      tokenRecord: mintedTokenRecord,
      clock,
      retryBudgetMs: 15_000,
      attemptTimeoutMs: 5_000,
    });
    connections.push(connection);
    return connection;
  };
  const catalog = connect();
  await migrateCatalog(catalog, clock, { organization: 'default', primaryRegion: 'aws-eu-west-1' });
  return {
    catalog,
    another: connect,
    directory,
    close: async () => {
      for (const connection of connections) connection.close();
      await rm(directory, { recursive: true });
    },
  };
}
