/** The `issuers` table: key sets outside the deployment whose tokens open databases of an organization. */
import type { RegisteredIssuer } from '@turso-byoc/data-plane/auth/access-rules.js';
import { noteIssuers } from './access-rules.js';
import type { CatalogConnection } from './catalog-connection.js';
import { textOf } from './row-values.js';

export interface NamedIssuer extends RegisteredIssuer {
  readonly name: string;
}

/** In the order of their names. */
export async function listIssuers(catalog: CatalogConnection, organization: string): Promise<NamedIssuer[]> {
  const { rows } = await catalog.read({
    sql: 'SELECT name, url, issuer, audience FROM issuers WHERE organization = ? ORDER BY name',
    args: [organization],
  });
  return rows.map((row) => ({
    name: textOf(row, 'name'),
    url: textOf(row, 'url'),
    ...(row['issuer'] !== null && { issuer: textOf(row, 'issuer') }),
    ...(row['audience'] !== null && { audience: textOf(row, 'audience') }),
  }));
}

/** Registers a key set, in the place of one of the same name. */
export async function putIssuer(
  catalog: CatalogConnection,
  organization: string,
  { name, url, issuer, audience }: NamedIssuer,
): Promise<void> {
  await catalog.write([
    {
      sql: `INSERT INTO issuers (organization, name, url, issuer, audience) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET url = excluded.url, issuer = excluded.issuer, audience = excluded.audience`,
      args: [organization, name, url, issuer ?? null, audience ?? null],
    },
    ...noteIssuers({ organization }),
  ]);
}

/** Forgets a key set. Whether there was one of the name. */
export async function removeIssuer(catalog: CatalogConnection, organization: string, name: string): Promise<boolean> {
  const [removed] = await catalog.write([
    { sql: 'DELETE FROM issuers WHERE organization = ? AND name = ? RETURNING name', args: [organization, name] },
    ...noteIssuers({ organization }),
  ]);
  return removed?.rows.length === 1;
}
