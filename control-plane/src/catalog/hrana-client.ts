/**
 * The catalog over Hrana 3 in JSON: each call is one request, which opens a stream, runs a statement or a transaction on it and
 * closes it. The official client does this too, for any server and at any length of stream, and costs several times as much.
 */
import type { InStatement, InValue, ResultSet, Row } from '@libsql/client';
import type { KeptAlive } from '../http-client/kept-alive.js';

/** What the catalog answers to a request that it does not carry out. */
export class CatalogError extends Error {
  override readonly name = 'CatalogError';

  constructor(
    message: string,
    /** Of SQLite or of the data plane's catalogue. */
    readonly code: string | undefined,
    /** HTTP status, when the request was refused as a whole. */
    readonly status?: number,
  ) {
    super(message);
  }
}

type Value =
  | { type: 'null' }
  | { type: 'integer'; value: string }
  | { type: 'float'; value: number }
  | { type: 'text'; value: string }
  | { type: 'blob'; base64: string };

interface Statement {
  sql?: string;
  sql_id?: number;
  args?: Value[];
  want_rows?: boolean;
}

interface StatementResult {
  readonly cols: readonly { readonly name: string | null }[];
  readonly rows: readonly (readonly Value[])[];
  readonly affected_row_count: number;
  readonly last_insert_rowid?: string | null;
}

interface WireError {
  readonly message: string;
  readonly code?: string | null;
}

interface BatchResult {
  readonly step_results: readonly (StatementResult | null)[];
  readonly step_errors: readonly (WireError | null)[];
}

interface StreamRequest {
  readonly type: 'execute' | 'batch' | 'store_sql' | 'close';
  readonly [field: string]: unknown;
}

type StreamResult =
  | { readonly type: 'ok'; readonly response: { readonly type: string; readonly result?: unknown } }
  | { readonly type: 'error'; readonly error: WireError };

export class HranaClient {
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;

  /** `url`: of the database, with a trailing slash. */
  constructor(
    url: string,
    authToken: string,
    private readonly http: KeptAlive,
  ) {
    this.#url = new URL('v3/pipeline', url);
    this.#headers = { authorization: `Bearer ${authToken}`, 'content-type': 'application/json' };
  }

  /** Runs one statement. Throws `CatalogError`, and what `KeptAlive` throws. */
  async execute(statement: InStatement): Promise<ResultSet> {
    const [result] = await this.#pipeline([{ type: 'execute', stmt: toStatement(statement) }]);
    return toResultSet(result as StatementResult);
  }

  /** Runs statements in one transaction. Throws as `execute` does; nothing has taken effect then unless the answer was lost. */
  async batch(statements: readonly InStatement[], mode: 'read' | 'write'): Promise<ResultSet[]> {
    const { stored, toStored } = storeRepeated(statements);
    const steps: { stmt: Statement; condition?: unknown }[] = [
      { stmt: { sql: mode === 'write' ? 'BEGIN IMMEDIATE' : 'BEGIN TRANSACTION READONLY', want_rows: false } },
    ];
    // After an error that ended the transaction nothing may run outside of it.
    const goesOn = (): unknown => ({
      type: 'and',
      conds: [
        { type: 'ok', step: steps.length - 1 },
        { type: 'not', cond: { type: 'is_autocommit' } },
      ],
    });
    for (const statement of statements) steps.push({ stmt: toStored(toStatement(statement)), condition: goesOn() });
    steps.push({ stmt: { sql: 'COMMIT', want_rows: false }, condition: goesOn() });
    const isUncommitted = { type: 'not', cond: { type: 'ok', step: steps.length - 1 } };
    steps.push({ stmt: { sql: 'ROLLBACK', want_rows: false }, condition: isUncommitted });
    const results = await this.#pipeline([...stored, { type: 'batch', batch: { steps } }]);
    const { step_results: done, step_errors: errors } = results.at(-1) as BatchResult;
    // The last step is the rollback, which may have nothing to roll back.
    const failed = errors.slice(0, -1).find((error) => error !== null);
    if (failed) throw toError(failed);
    return statements.map((_statement, place) => {
      const result = done[place + 1];
      if (!result) throw new CatalogError('a statement did not run: its transaction has ended', 'TRANSACTION_CLOSED');
      return toResultSet(result);
    });
  }

  /** The results of the requests, in order. */
  async #pipeline(requests: readonly StreamRequest[]): Promise<unknown[]> {
    const { status, body } = await this.http.call({
      method: 'POST',
      url: this.#url,
      operation: 'v3-pipeline',
      headers: this.#headers,
      body: JSON.stringify({ baton: null, requests: [...requests, { type: 'close' }] }),
    });
    const answer = parse(body);
    if (status !== 200) {
      const { message, code } = answer as { message?: unknown; code?: unknown };
      throw new CatalogError(
        typeof message === 'string' ? message : `the catalog answered with status ${status}`,
        typeof code === 'string' ? code : undefined,
        status,
      );
    }
    const { results } = answer as { results?: readonly StreamResult[] };
    return requests.map((_request, place) => {
      const result = results?.[place];
      if (result?.type === 'ok') return result.response.result;
      throw result ? toError(result.error) : new CatalogError('the catalog left out a result', undefined, status);
    });
  }
}

/** Has the server keep the SQL that comes more than once in a request, which then carries it once. */
function storeRepeated(statements: readonly InStatement[]): {
  readonly stored: StreamRequest[];
  readonly toStored: (statement: Statement) => Statement;
} {
  const seen = new Set<string>();
  const ids = new Map<string, number>();
  for (const statement of statements) {
    const sql = sqlOf(statement);
    if (seen.has(sql) && !ids.has(sql) && ids.size < maxStoredSql) ids.set(sql, ids.size);
    seen.add(sql);
  }
  return {
    stored: [...ids].map(([sql, id]) => ({ type: 'store_sql', sql_id: id, sql })),
    toStored: ({ sql = '', ...rest }) => {
      const id = ids.get(sql);
      return id === undefined ? { sql, ...rest } : { sql_id: id, ...rest };
    },
  };
}

const maxStoredSql = 30;

function sqlOf(statement: InStatement): string {
  return typeof statement === 'string' ? statement : statement.sql;
}

function toStatement(statement: InStatement): Statement {
  if (typeof statement === 'string') return { sql: statement, want_rows: true };
  const { sql, args = [] } = statement;
  if (!Array.isArray(args)) throw new TypeError('statements of the catalog have their arguments by position');
  return { sql, args: args.map(toValue), want_rows: true };
}

function toValue(value: InValue): Value {
  if (value === null) return { type: 'null' };
  if (typeof value === 'string') return { type: 'text', value };
  if (typeof value === 'bigint') return { type: 'integer', value: value.toString() };
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) ? { type: 'integer', value: String(value) } : { type: 'float', value };
  }
  throw new TypeError(`the catalog stores no ${typeof value}`);
}

function fromValue(value: Value): Row[string] {
  switch (value.type) {
    case 'null':
      return null;
    case 'integer': {
      const number = Number(value.value);
      if (Number.isSafeInteger(number)) return number;
      throw new RangeError(`the catalog holds an integer that is too large: ${value.value}`);
    }
    case 'blob':
      throw new TypeError('the catalog holds no blobs');
    default:
      return value.value;
  }
}

function toResultSet({ cols, rows, affected_row_count: affected, last_insert_rowid: id }: StatementResult): ResultSet {
  const columns = cols.map(({ name }) => name ?? '');
  return {
    columns,
    columnTypes: columns.map(() => ''),
    rows: rows.map((values) => {
      const row: Record<string, Row[string]> = {};
      for (const [place, value] of values.entries()) row[columns[place] ?? ''] = fromValue(value);
      return row as Row;
    }),
    rowsAffected: affected,
    lastInsertRowid: typeof id === 'string' ? BigInt(id) : undefined,
    toJSON: () => ({ columns, rows }),
  };
}

function toError({ message, code }: WireError): CatalogError {
  return new CatalogError(message, code ?? undefined);
}

function parse(body: Buffer): object {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    // Not the data node's own words (a proxy's page, say); the status tells enough.
    return {};
  }
}
