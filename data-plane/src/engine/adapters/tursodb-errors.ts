import { EngineError } from './adapter.js';
import { isErrorLike } from './error-like.js';
import { engineError } from './result-codes.js';

/** What the binding and the engine put in front of the sentence itself. */
const wrappers = [
  /^(?:prepare failed|step failed|failed to consume stmt|failed to connect|IO error): /u,
  /^failed to open database .*?: (?=[A-Z])/su,
  /^(?:Parse error|Runtime error|Transaction error|Invalid argument supplied|Conversion error|Planning error): /u,
];

interface Rule {
  readonly pattern: RegExp;
  readonly code: string;
  readonly extendedCode?: string;
  /** SQLite's own wording, where the Turso engine's differs. */
  readonly message?: string;
  readonly poisons?: boolean;
}

/** The engine reports no codes; its sentences are those of its `LimboError` and of SQLite. */
const rules: readonly Rule[] = [
  { pattern: /^UNIQUE constraint failed/u, code: 'SQLITE_CONSTRAINT', extendedCode: 'SQLITE_CONSTRAINT_UNIQUE' },
  { pattern: /^NOT NULL constraint failed/u, code: 'SQLITE_CONSTRAINT', extendedCode: 'SQLITE_CONSTRAINT_NOTNULL' },
  { pattern: /^CHECK constraint failed/u, code: 'SQLITE_CONSTRAINT', extendedCode: 'SQLITE_CONSTRAINT_CHECK' },
  {
    pattern: /^FOREIGN KEY constraint failed/u,
    code: 'SQLITE_CONSTRAINT',
    extendedCode: 'SQLITE_CONSTRAINT_FOREIGNKEY',
  },
  {
    pattern: /^deferred foreign key constraint failed/u,
    code: 'SQLITE_CONSTRAINT',
    extendedCode: 'SQLITE_CONSTRAINT_FOREIGNKEY',
    message: 'FOREIGN KEY constraint failed',
  },
  { pattern: /^cannot store \S+ value in /u, code: 'SQLITE_CONSTRAINT', extendedCode: 'SQLITE_CONSTRAINT_DATATYPE' },
  { pattern: /^Database snapshot is stale/u, code: 'SQLITE_BUSY', extendedCode: 'SQLITE_BUSY_SNAPSHOT' },
  { pattern: /^(?:database is locked|Database is busy|Write-write conflict|Conflict: )/u, code: 'SQLITE_BUSY' },
  { pattern: /SQL statements in progress/u, code: 'SQLITE_BUSY' },
  { pattern: /^(?:database table is locked|database schema is locked|Locking error: )/u, code: 'SQLITE_LOCKED' },
  { pattern: /^statement was interrupted|^interrupt$/u, code: 'SQLITE_INTERRUPT', message: 'interrupted' },
  {
    pattern: /^I\/O error.*(?:no storage space|storage full|quota exceeded)/u,
    code: 'SQLITE_FULL',
    message: 'database or disk is full',
    poisons: true,
  },
  { pattern: /^Database is full/u, code: 'SQLITE_FULL', message: 'database or disk is full' },
  { pattern: /read-only|in query_only mode/u, code: 'SQLITE_READONLY' },
  { pattern: /^Database schema (?:changed|conflict)/u, code: 'SQLITE_SCHEMA' },
  { pattern: /^string or blob too big/u, code: 'SQLITE_TOOBIG' },
  { pattern: /^datatype mismatch/u, code: 'SQLITE_MISMATCH' },
  { pattern: /^Out of memory/u, code: 'SQLITE_NOMEM' },
  {
    pattern: /^(?:Corrupt database: invalid page size in database header|I\/O error: short read on page 1:)/u,
    code: 'SQLITE_NOTADB',
    message: 'file is not a database',
  },
  { pattern: /^I\/O error \((?:open|statfs)/u, code: 'SQLITE_CANTOPEN', message: 'unable to open database file' },
  { pattern: /^File is not a database/u, code: 'SQLITE_NOTADB', message: 'file is not a database' },
  {
    pattern: /^(?:Corrupt database|Decryption failed|Checksum mismatch|Database is empty|WAL frame page mismatch)/u,
    code: 'SQLITE_CORRUPT',
  },
  // A page stays pinned after a failed read: the connection is of no more use.
  { pattern: /^(?:I\/O error|Completion was aborted)|^page \d+ is pinned/u, code: 'SQLITE_IOERR' },
  { pattern: /^(?:Internal error|Checkpoint failed)/u, code: 'SQLITE_INTERNAL', poisons: true },
  { pattern: /^database connection is not open/iu, code: 'SQLITE_MISUSE' },
];

/** Translates what the binding threw; `SQLITE_ERROR` for a sentence that no rule knows. */
export function tursodbError(error: unknown): unknown {
  if (!isErrorLike(error) || error instanceof EngineError) return error;
  let message = error.message;
  for (const wrapper of wrappers) message = message.replace(wrapper, '');
  // Constraint errors end in SQLite's number of the code.
  message = message.replace(/ \(\d+\)$/u, '');
  const rule = rules.find(({ pattern }) => pattern.test(message));
  if (rule === undefined) return engineError('SQLITE_ERROR', message);
  return engineError(rule.code, rule.message ?? message, rule.extendedCode, rule.poisons);
}
