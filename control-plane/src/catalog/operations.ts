/**
 * The tables `operations` and `operation_failures`: work over the databases of a group. One runner at a time has an
 * operation, for as long as its lease lasts; every change it makes names it, so a runner that was replaced changes nothing.
 */
import type { Row } from '@libsql/client';
import type { CatalogConnection } from './catalog-connection.js';
import { integerOf, textOf } from './row-values.js';

export type OperationState = 'running' | 'stopped' | 'failed' | 'done';

export interface OperationRecord {
  readonly id: string;
  readonly organization: string;
  readonly groupUuid: string;
  readonly statements: readonly string[];
  /** Ids of the databases that were selected; absent = all of the group. */
  readonly databases?: readonly string[];
  /** Of the databases tried, more than this part may not fail. */
  readonly maxFailureRate: number;
  readonly state: OperationState;
  /** Why it is `failed` or `stopped`. */
  readonly reason?: string;
  /** Name of the last database that was tried; those that follow are left. */
  readonly cursor: string;
  readonly total: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly startedBy: string;
  readonly createdAtMs: number;
}

const select = `SELECT id, organization, group_uuid, statements, databases, max_failure_rate, state, reason, cursor, total,
  succeeded, failed, started_by, created_at_ms FROM operations`;

export async function insertOperation(catalog: CatalogConnection, operation: OperationRecord): Promise<void> {
  const { id, organization, groupUuid, statements, databases, maxFailureRate, total, startedBy, createdAtMs } =
    operation;
  await catalog.write([
    {
      sql: `INSERT INTO operations (id, organization, group_uuid, statements, databases, max_failure_rate, state, total,
              started_by, created_at_ms)
            VALUES (?, ?, ?, ?, ?, ?, 'running', ?, ?, ?) ON CONFLICT DO NOTHING`,
      args: [
        id,
        organization,
        groupUuid,
        JSON.stringify(statements),
        databases === undefined ? null : JSON.stringify(databases),
        maxFailureRate,
        total,
        startedBy,
        createdAtMs,
      ],
    },
  ]);
}

/** The operations of a group, the last one first. */
export async function operationsOfGroup(catalog: CatalogConnection, groupUuid: string): Promise<OperationRecord[]> {
  const { rows } = await catalog.read({
    sql: `${select} WHERE group_uuid = ? ORDER BY created_at_ms DESC, id LIMIT 100`,
    args: [groupUuid],
  });
  return rows.map(operationFromRow);
}

export async function findOperation(catalog: CatalogConnection, id: string): Promise<OperationRecord | undefined> {
  const { rows } = await catalog.read({ sql: `${select} WHERE id = ?`, args: [id] });
  return rows.map(operationFromRow)[0];
}

/** Operations that should run and that nobody runs at this time. */
export async function unattendedOperations(catalog: CatalogConnection, nowMs: number): Promise<OperationRecord[]> {
  const { rows } = await catalog.read({
    sql: `${select} WHERE state = 'running' AND runner_until_ms < ? ORDER BY created_at_ms`,
    args: [nowMs],
  });
  return rows.map(operationFromRow);
}

/** Takes or keeps an operation; undefined when somebody else has it or it does not run any more. */
export async function leaseOperation(
  catalog: CatalogConnection,
  id: string,
  lease: { readonly runner: string; readonly nowMs: number; readonly untilMs: number },
): Promise<OperationRecord | undefined> {
  const { runner, nowMs, untilMs } = lease;
  const [, held] = await catalog.write([
    {
      sql: `UPDATE operations SET runner = ?, runner_until_ms = ?
            WHERE id = ? AND state = 'running' AND (runner = ? OR runner_until_ms < ?)`,
      args: [runner, untilMs, id, runner, nowMs],
    },
    { sql: `${select} WHERE id = ? AND runner = ? AND state = 'running'`, args: [id, runner] },
  ]);
  return held?.rows.map(operationFromRow)[0];
}

export interface Progress {
  readonly cursor: string;
  readonly succeeded: number;
  readonly failed: number;
  readonly state: OperationState;
  readonly reason?: string;
  readonly failures: readonly { readonly database: string; readonly error: string }[];
}

/** Notes how far a runner has come; does nothing for one that was replaced. May run twice. */
export async function noteProgress(
  catalog: CatalogConnection,
  id: string,
  runner: string,
  progress: Progress,
): Promise<void> {
  await catalog.write([
    {
      sql: `INSERT INTO operation_failures (operation, database, error)
            SELECT ?, f.value ->> 'database', f.value ->> 'error' FROM json_each(?) f
            WHERE EXISTS (SELECT 1 FROM operations WHERE id = ? AND runner = ?)
            ON CONFLICT (operation, database) DO UPDATE SET error = excluded.error`,
      args: [id, JSON.stringify(progress.failures), id, runner],
    },
    {
      sql: `UPDATE operations SET cursor = ?, succeeded = ?, failed = ?, reason = ?,
              state = CASE state WHEN 'running' THEN ? ELSE state END
            WHERE id = ? AND runner = ?`,
      args: [progress.cursor, progress.succeeded, progress.failed, progress.reason ?? null, progress.state, id, runner],
    },
  ]);
}

/** Stops an operation that runs; its runner ends with the databases in hand. Whether it was running. */
export async function stopOperation(catalog: CatalogConnection, id: string): Promise<boolean> {
  const before = await findOperation(catalog, id);
  if (before?.state !== 'running') return false;
  await catalog.write([
    {
      sql: "UPDATE operations SET state = 'stopped', reason = 'stopped by a user' WHERE id = ? AND state = 'running'",
      args: [id],
    },
  ]);
  return true;
}

/** Lets an operation go on that was stopped or has failed; from the start when a database is to be tried again. */
export async function resumeOperation(catalog: CatalogConnection, id: string): Promise<boolean> {
  const before = await findOperation(catalog, id);
  if (before === undefined || before.state === 'running' || (before.state === 'done' && before.failed === 0))
    return false;
  const again = before.failed > 0;
  await catalog.write([
    ...(again ? [{ sql: 'DELETE FROM operation_failures WHERE operation = ?', args: [id] }] : []),
    {
      sql: `UPDATE operations SET state = 'running', reason = NULL, runner_until_ms = 0, runner = NULL
              ${again ? ", cursor = '', succeeded = 0, failed = 0" : ''} WHERE id = ? AND state <> 'running'`,
      args: [id],
    },
  ]);
  return true;
}

/** Databases that failed, and why. */
export async function failuresOf(
  catalog: CatalogConnection,
  id: string,
): Promise<{ readonly database: string; readonly error: string }[]> {
  const { rows } = await catalog.read({
    sql: 'SELECT database, error FROM operation_failures WHERE operation = ? ORDER BY database LIMIT 1000',
    args: [id],
  });
  return rows.map((row) => ({ database: textOf(row, 'database'), error: textOf(row, 'error') }));
}

function operationFromRow(row: Row): OperationRecord {
  const reason = row['reason'];
  return {
    id: textOf(row, 'id'),
    organization: textOf(row, 'organization'),
    groupUuid: textOf(row, 'group_uuid'),
    statements: JSON.parse(textOf(row, 'statements')) as string[],
    ...(row['databases'] !== null && { databases: JSON.parse(textOf(row, 'databases')) as string[] }),
    maxFailureRate: Number(row['max_failure_rate']),
    state: textOf(row, 'state') as OperationState,
    ...(typeof reason === 'string' && { reason }),
    cursor: textOf(row, 'cursor'),
    total: integerOf(row, 'total'),
    succeeded: integerOf(row, 'succeeded'),
    failed: integerOf(row, 'failed'),
    startedBy: textOf(row, 'started_by'),
    createdAtMs: integerOf(row, 'created_at_ms'),
  };
}
