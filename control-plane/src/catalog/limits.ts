/** The `limits` table: what the operator allows an organization, a group or a token. Without a row nothing is limited. */
import type { InStatement } from '@libsql/client';
import type { CatalogConnection } from './catalog-connection.js';
import { integerOf, textOf } from './row-values.js';

export const limitScopes = ['organization', 'group', 'token'] as const;
export type LimitScope = (typeof limitScopes)[number];

export const limitNames = ['databases', 'groups', 'members', 'requests_per_minute'] as const;
export type LimitName = (typeof limitNames)[number];

/** What can be limited where. */
export const limitNamesOf: Readonly<Record<LimitScope, readonly LimitName[]>> = {
  organization: limitNames,
  group: ['databases', 'requests_per_minute'],
  token: ['requests_per_minute'],
};

export type Limits = Readonly<Partial<Record<LimitName, number>>>;

/** The limits of several subjects, by `scope:subject`. */
export async function limitsOf(
  catalog: CatalogConnection,
  subjects: readonly { readonly scope: LimitScope; readonly subject: string }[],
): Promise<ReadonlyMap<string, Limits>> {
  const { rows } = await catalog.read({
    sql: `SELECT l.scope, l.subject, l.name, l.value FROM json_each(?) s
          JOIN limits l ON l.scope = s.value ->> 'scope' AND l.subject = s.value ->> 'subject'`,
    args: [JSON.stringify(subjects)],
  });
  const found = new Map<string, Record<string, number>>();
  for (const row of rows) {
    const key = `${textOf(row, 'scope')}:${textOf(row, 'subject')}`;
    const limits = found.get(key) ?? {};
    limits[textOf(row, 'name')] = integerOf(row, 'value');
    found.set(key, limits);
  }
  return found;
}

/** Every limit that is set, in order of scope and subject. */
export async function allLimits(
  catalog: CatalogConnection,
): Promise<{ readonly scope: LimitScope; readonly subject: string; readonly limits: Limits }[]> {
  const { rows } = await catalog.read('SELECT scope, subject, name, value FROM limits ORDER BY scope, subject, name');
  const entries = new Map<string, { scope: LimitScope; subject: string; limits: Record<string, number> }>();
  for (const row of rows) {
    const scope = textOf(row, 'scope') as LimitScope;
    const subject = textOf(row, 'subject');
    const entry = entries.get(`${scope}:${subject}`) ?? { scope, subject, limits: {} };
    entry.limits[textOf(row, 'name')] = integerOf(row, 'value');
    entries.set(`${scope}:${subject}`, entry);
  }
  return [...entries.values()];
}

/** Sets limits of a subject; null lifts one, what is not named stays. */
export async function setLimits(
  catalog: CatalogConnection,
  scope: LimitScope,
  subject: string,
  changes: Readonly<Partial<Record<LimitName, number | null>>>,
): Promise<void> {
  const statements = Object.entries(changes).map(([name, value]): InStatement =>
    value === null
      ? { sql: 'DELETE FROM limits WHERE scope = ? AND subject = ? AND name = ?', args: [scope, subject, name] }
      : {
          sql: `INSERT INTO limits (scope, subject, name, value) VALUES (?, ?, ?, ?)
                ON CONFLICT (scope, subject, name) DO UPDATE SET value = excluded.value`,
          args: [scope, subject, name, value],
        },
  );
  if (statements.length > 0) await catalog.write(statements);
}

/** How many groups or members an organization has. */
export async function countOf(
  catalog: CatalogConnection,
  what: 'groups' | 'members',
  organization: string,
): Promise<number> {
  const { rows } = await catalog.read({
    sql: `SELECT count(*) AS count FROM ${what} WHERE organization = ?`,
    args: [organization],
  });
  const [row] = rows;
  return row === undefined ? 0 : integerOf(row, 'count');
}
