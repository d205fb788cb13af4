/**
 * The SQL gate: every tenant statement passes here before an adapter sees it.
 *
 * Invariant: a statement for which `plan` returns reaches nothing outside its own database file. It holds because
 * - what the text names (functions, virtual tables, PRAGMAs, commands) is checked against allow-lists,
 * - what the schema adds (views, triggers, generated columns, constraints) is checked in the compiled program on the Turso
 *   engine, and for libSQL in the schema's own text when the database is opened,
 * - what makes libSQL build and run SQL of its own is refused by its form, in statements and in the files of others.
 * What only costs time or memory is not refused here: the engine process has a deadline and a memory limit.
 */
import { ByocError } from '../../errors/catalogue.js';
import type { EngineName } from '../../identity.js';
import { EngineError, type EngineConnection } from '../adapters/adapter.js';
import type { CompiledFacts } from './compiled-facts.js';
import { checkCreate } from './create-checks.js';
import { ForbiddenNames } from './forbidden-names.js';
import { defaultGateLimits, type GateLimits } from './gate-limits.js';
import { compileForLibsql, inspectSchema, takesEffectWhenCompiled } from './libsql-check.js';
import { isSyntaxError } from './syntax-error.js';
import { PlanCache } from './plan-cache.js';
import { planPragma } from './pragma-plan.js';
import { readFacts, type StatementFacts } from './statement-facts.js';
import type { StatementPlan } from './statement-plan.js';
import { StatementUses } from './known-uses.js';
import type { TableUse } from './table-use.js';
import { splitStatements, statementRanges } from './statement-splitter.js';
import { transactionControl } from './transaction-control.js';
import { readTursodbProgram } from './tursodb-program.js';

/** Read once per process and engine: they are properties of the loaded native library. */
const forbiddenByEngine = new Map<EngineName, ForbiddenNames>();

const compiledVerbs = new Set([
  'select',
  'values',
  'with',
  'insert',
  'replace',
  'update',
  'delete',
  'create',
  'drop',
  'alter',
  'analyze',
  'reindex',
]);

/** The verbs whose statements can be read-only; the others count as writes even when they find nothing to do. */
const readingVerbs = new Set(['select', 'values', 'with']);

const refusedVerbs = new Map([
  ['attach', 'ATTACH is not offered: a connection sees one database'],
  ['detach', 'DETACH is not offered: a connection sees one database'],
  ['vacuum', 'VACUUM is not offered: the node compacts databases itself'],
]);

/** The gate of one open database. */
export class SqlGate {
  private readonly cache: PlanCache;
  private readonly statementUses: StatementUses;
  private schemaInspected = false;

  constructor(
    private readonly engine: EngineName,
    private readonly limits: GateLimits = defaultGateLimits,
  ) {
    this.cache = new PlanCache(limits.maxCacheBytes);
    this.statementUses = new StatementUses(engine, limits);
  }

  /**
   * Checks and classifies a text that holds exactly one statement, compiling it on `connection`.
   *
   * Throws `SQL_REFUSED` (the message names what and why), `SQL_INPUT_ERROR` (NUL, too long, too deep, too many parameters),
   * `SQL_NO_STATEMENT`, `SQL_MANY_STATEMENTS`, `SQL_PARSE_ERROR` with the engine's text for a syntax error, and the
   * `EngineError` of any other failed compilation (`no such table: x`).
   */
  plan(sql: string, connection: EngineConnection): StatementPlan {
    const cached = this.cache.get(sql);
    if (cached !== undefined) return cached;
    this.checkText(sql);
    const plan = this.makePlan(onlyStatement(sql), connection);
    if (sql.length <= this.limits.maxCachedSqlLength) this.cache.set(sql, plan);
    return plan;
  }

  /** See `StatementUses.of`. */
  uses(sql: string, connection: EngineConnection): readonly TableUse[] {
    return this.statementUses.of(onlyStatement(sql), connection, this.forbidden(connection));
  }

  /**
   * The statements of a text, in order, without semicolons; empty statements and comments are left out. None of them is
   * checked yet. They are found one by one, so that a long text holds nobody up. Throws `SQL_INPUT_ERROR`.
   */
  split(sql: string): Iterable<string> {
    this.checkText(sql);
    return splitStatements(sql);
  }

  /** Forgets all plans; to be called when the schema changed. */
  invalidate(): void {
    this.cache.clear();
    this.statementUses.clear();
  }

  private checkText(sql: string): void {
    if (sql.includes('\0')) throw new ByocError('SQL_INPUT_ERROR', 'the SQL text contains a NUL character');
    const { maxSqlBytes } = this.limits;
    // Three bytes are the most that one UTF-16 code unit takes, so that short texts need no counting.
    if (sql.length * 3 > maxSqlBytes && Buffer.byteLength(sql) > maxSqlBytes) {
      throw new ByocError('SQL_INPUT_ERROR', `the SQL text is longer than ${maxSqlBytes} bytes`);
    }
  }

  private makePlan(sql: string, connection: EngineConnection): StatementPlan {
    const forbidden = this.forbidden(connection);
    this.inspectOnce(connection, forbidden);
    const facts = readFacts(sql, forbidden, this.limits);
    const verb = facts.head[0]?.kind === 'word' ? facts.head[0].name : '';
    const plan = { sql, isExplain: facts.isExplain, parameters: facts.parameters };
    const quiet = { transactionControl: null, changesSchema: false, changesSession: false };

    const refusal = refusedVerbs.get(verb);
    if (refusal !== undefined) throw new ByocError('SQL_REFUSED', refusal);
    if (verb === 'pragma') {
      const effect = planPragma(this.engine, facts);
      const { changesSchema, changesSession } = effect;
      return {
        ...plan,
        ...quiet,
        sql: effect.substitute ?? sql,
        isReadOnly: !effect.writes,
        changesSchema,
        changesSession,
      };
    }
    const control = transactionControl(facts);
    if (control !== null) {
      if (facts.isExplain) return { ...plan, ...quiet, isReadOnly: true };
      return { ...plan, ...quiet, isReadOnly: control !== 'begin-write', transactionControl: control };
    }
    if (verb === 'create') checkCreate(facts);

    const takesEffect = this.engine === 'libsql' && takesEffectWhenCompiled(verb, facts);
    if (takesEffect && facts.isExplain) {
      throw new ByocError('SQL_REFUSED', `EXPLAIN of this ${verb.toUpperCase()} is not offered: it would take effect`);
    }
    const program = this.compile(facts, verb, connection);
    if (!compiledVerbs.has(verb))
      throw new ByocError('SQL_REFUSED', `the statement ${verb.toUpperCase()} is not offered`);
    if (facts.suspectString !== undefined && (program.usesVirtualTable || verb === 'create')) {
      throw new ByocError('SQL_REFUSED', `the table "${facts.suspectString}" is not offered`);
    }
    if (facts.isExplain) return { ...plan, ...quiet, isReadOnly: true };
    return {
      ...plan,
      isReadOnly: readingVerbs.has(verb) && !program.writes,
      transactionControl: null,
      changesSchema: program.changesSchema || verb === 'create' || verb === 'drop' || verb === 'alter',
      changesSession: program.changesTemporarySchema,
      ...(takesEffect && { takesEffectWhenCompiled: true as const }),
    };
  }

  private compile(facts: StatementFacts, verb: string, connection: EngineConnection): CompiledFacts {
    try {
      return this.engine === 'libsql'
        ? compileForLibsql(connection, verb, facts)
        : readTursodbProgram(connection, verb, facts.explained);
    } catch (error) {
      if (error instanceof EngineError && isSyntaxError(error.message)) {
        throw new ByocError('SQL_PARSE_ERROR', error.message, { cause: error });
      }
      throw error;
    }
  }

  /** Once for each open database: afterwards its schema changes through this gate only. */
  private inspectOnce(connection: EngineConnection, forbidden: ForbiddenNames): void {
    if (this.schemaInspected || this.engine !== 'libsql') return;
    inspectSchema(connection, forbidden, this.limits);
    this.schemaInspected = true;
  }

  private forbidden(connection: EngineConnection): ForbiddenNames {
    let names = forbiddenByEngine.get(this.engine);
    if (names === undefined) {
      names = ForbiddenNames.read(this.engine, connection);
      forbiddenByEngine.set(this.engine, names);
    }
    return names;
  }
}

function onlyStatement(sql: string): string {
  const ranges = statementRanges(sql);
  const first = ranges.next();
  if (first.done === true) throw new ByocError('SQL_NO_STATEMENT', 'the SQL text contains no statement');
  if (ranges.next().done !== true) {
    throw new ByocError('SQL_MANY_STATEMENTS', 'the SQL text contains more than one statement');
  }
  return sql.slice(first.value.start, first.value.end);
}
