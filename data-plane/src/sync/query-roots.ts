/** The root pages of the b-trees that a query opens, out of its program as EXPLAIN tells it. */
import { ByocError } from '../errors/catalogue.js';

const opening = new Set(['OpenRead', 'ReopenIdx']);
const mainDatabase = '0';

/** The body of a pipeline that asks for the program of a query. */
export function explainRequest(query: string): Buffer {
  const stmt = { sql: `EXPLAIN ${query}`, want_rows: true };
  return Buffer.from(JSON.stringify({ baton: null, requests: [{ type: 'execute', stmt }, { type: 'close' }] }));
}

interface ExplainAnswer {
  readonly results: readonly {
    readonly error?: { readonly message: string; readonly code: string };
    readonly response?: {
      readonly result?: { readonly cols: { name: string | null }[]; readonly rows: { value?: unknown }[][] };
    };
  }[];
}

/** The root pages, each once. Throws `MALFORMED_REQUEST` with what is wrong with the query. */
export function rootsInAnswer(body: Buffer): number[] {
  const [explained] = (JSON.parse(body.toString('utf8')) as ExplainAnswer).results;
  const { error, response } = explained ?? {};
  if (error) {
    throw new ByocError('MALFORMED_REQUEST', `the query of the pull is refused: ${error.code}: ${error.message}`);
  }
  const { cols = [], rows = [] } = response?.result ?? {};
  const at = (name: string): number => cols.findIndex((column) => column.name === name);
  const [opcode, root, database] = [at('opcode'), at('p2'), at('p3')];
  const roots = new Set<number>();
  for (const row of rows) {
    const isOpened = opening.has(String(row[opcode]?.value)) && String(row[database]?.value) === mainDatabase;
    if (isOpened) roots.add(Number(row[root]?.value));
  }
  return [...roots];
}
