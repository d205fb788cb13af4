/**
 * Looks through a database file that came from outside. Runs in an engine process that nothing else is open in: however long
 * it takes, it holds up nobody, and no deadline applies.
 */
import type { DatabaseHost } from '../../engine/process/database-host.js';
import type { ResponseStream } from '../../engine/process/response-stream.js';
import { Signal } from '../../engine/process/task.js';
import { EngineError, type EngineConnection, type SqlValue } from '../../engine/adapters/adapter.js';
import { isByocError } from '../../errors/catalogue.js';
import { sqlName } from '../dump/sql-literal.js';

/** What is answered, in JSON. */
export interface FileCheck {
  /** What is wrong with it; empty for a file that may become a database. */
  readonly defects: readonly string[];
}

const mostDefects = 10;

/**
 * Answers with a `FileCheck`. libSQL proves the file sound and its schema free of what no statement could have put there; the
 * Turso engine only says whether it can read it.
 */
export function serveFileCheck(host: DatabaseHost, response: ResponseStream): void {
  const connection = host.pool.acquire({});
  if (connection instanceof Signal) throw new Error('a file that is checked is open for nothing else');
  host.recorder.idle();
  const defects = host.engine === 'libsql' ? checkFile(host, connection.engine) : checkReadable(connection.engine);
  const check: FileCheck = { defects };
  response.send(200, host.commit, Buffer.from(JSON.stringify(check)), true);
}

/** What is wrong with the database as a connection sees it, by libSQL. */
export function checkFile(host: DatabaseHost, engine: EngineConnection): string[] {
  return defectsOf(() => {
    // A gate that has seen nothing yet looks through the whole schema first. Before anything else: the integrity check runs the
    // expressions in it, such as those of CHECK, for every row.
    host.newGate().plan('SELECT 1', engine);
    const defects = read(engine, `PRAGMA integrity_check(${mostDefects})`).map(([line]) => String(line));
    return defects.some((line) => line !== 'ok') ? defects : [];
  });
}

function checkReadable(engine: EngineConnection): string[] {
  return defectsOf(() => {
    const tables = read(engine, "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')");
    for (const [name] of tables) engine.prepare(`SELECT * FROM ${sqlName(String(name))} LIMIT 0`);
    return [];
  });
}

function defectsOf(check: () => string[]): string[] {
  try {
    return check();
  } catch (error) {
    if (error instanceof EngineError || isByocError(error)) return [`${error.code}: ${error.message}`];
    throw error;
  }
}

function read(engine: EngineConnection, sql: string): SqlValue[][] {
  return [...engine.prepare(sql).rows([])];
}
