/** Every way in which SQL text can reach a database over HTTP, each as one function. */
import type { DataNode, TestDatabase } from './data-node.js';

export interface WireError {
  readonly code: string;
  readonly message: string;
}

/** What came back, in full, and the error in it, wherever it stood. */
export interface WireAnswer {
  readonly status: number;
  readonly text: string;
  readonly error: WireError | undefined;
}

type Way = (node: DataNode, database: TestDatabase, sql: string) => Promise<WireAnswer>;

interface ResultBody {
  readonly error?: WireError;
  readonly response?: { readonly result?: { readonly step_errors?: readonly (WireError | null)[] } };
}

function pipeline(path: string, requests: (sql: string) => unknown[]): Way {
  return async (node, database, sql) => {
    const { status, text } = await node.post(database, path, JSON.stringify({ baton: null, requests: requests(sql) }));
    const body = JSON.parse(text) as Partial<WireError> & { results?: readonly ResultBody[] };
    if (status !== 200) return { status, text, error: asError(body) };
    const errors = (body.results ?? []).flatMap(({ error, response }) => error ?? response?.result?.step_errors ?? []);
    return { status, text, error: errors.find((error) => error !== null) ?? undefined };
  };
}

const cursor: Way = async (node, database, sql) => {
  const batch = { steps: [{ stmt: { sql } }] };
  const { status, text } = await node.post(database, 'v3/cursor', JSON.stringify({ baton: null, batch }));
  if (status !== 200) return { status, text, error: asError(JSON.parse(text) as Partial<WireError>) };
  const lines = text.split('\n').filter(Boolean);
  const failures = lines.filter((line) => /^\{"type":"(?:step_error|error)"/u.test(line));
  const [first] = failures.map((line) => (JSON.parse(line) as { error: WireError }).error);
  return { status, text, error: first };
};

function asError({ code, message }: Partial<WireError>): WireError {
  return { code: code ?? '', message: message ?? '' };
}

const close = { type: 'close' };

export const sqlWays = {
  'v2 execute': pipeline('v2/pipeline', (sql) => [{ type: 'execute', stmt: { sql } }, close]),
  'v3 execute': pipeline('v3/pipeline', (sql) => [{ type: 'execute', stmt: { sql } }, close]),
  batch: pipeline('v3/pipeline', (sql) => [{ type: 'batch', batch: { steps: [{ stmt: { sql } }] } }, close]),
  sequence: pipeline('v3/pipeline', (sql) => [{ type: 'sequence', sql }, close]),
  describe: pipeline('v3/pipeline', (sql) => [{ type: 'describe', sql }, close]),
  'stored text': pipeline('v3/pipeline', (sql) => [
    { type: 'store_sql', sql_id: 1, sql },
    { type: 'execute', stmt: { sql_id: 1 } },
    close,
  ]),
  cursor,
} as const satisfies Record<string, Way>;

export type SqlWay = keyof typeof sqlWays;
