import type { Client } from '@libsql/client';

/** Where a database notes which migrations it has; the note and the migration are one transaction. */
export const migrationsTable = '_turso_byoc_migrations';

/** Applies a migration to a database once, however often it is asked; says whether it was this time. */
export async function applyMigration(
  client: Client,
  migration: { readonly id: string; readonly statements: readonly string[] },
): Promise<'applied' | 'had it'> {
  const transaction = await client.transaction('write');
  try {
    await transaction.execute(
      `CREATE TABLE IF NOT EXISTS ${migrationsTable} (id TEXT PRIMARY KEY, applied_at TEXT NOT NULL)`,
    );
    const { rows } = await transaction.execute({
      sql: `SELECT 1 FROM ${migrationsTable} WHERE id = ?`,
      args: [migration.id],
    });
    if (rows.length > 0) return 'had it';
    for (const statement of migration.statements) await transaction.execute(statement);
    await transaction.execute({
      sql: `INSERT INTO ${migrationsTable} (id, applied_at) VALUES (?, datetime('now'))`,
      args: [migration.id],
    });
    await transaction.commit();
    return 'applied';
  } finally {
    // Rolls back what was not committed.
    transaction.close();
  }
}
