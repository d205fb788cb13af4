/**
 * The tables and statements of the statement cases, once as SQL and once as HTTP requests. The engine alone and the data
 * node run the same SQL on the same rows.
 */
export const itemCount = 1_000;

export const schema = [
  'CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, quantity INTEGER NOT NULL, note TEXT NOT NULL)',
  'CREATE TABLE events (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, payload TEXT NOT NULL)',
];
export const fillItems = `INSERT INTO items
  WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${itemCount})
  SELECT n, 'item ' || n, n * 7 % 1000, 'a note about item number ' || n || ', of some length' FROM numbers`;

export const selectItem = 'SELECT id, name, quantity, note FROM items WHERE id = ?';
export const selectItems = 'SELECT id, name, quantity, note FROM items';
export const insertEvent = 'INSERT INTO events (kind, payload) VALUES (?, ?)';
export const event = { kind: 'page-view', payload: '{"path":"/products/1234","referrer":"/search","ms":17}' };
export const statementsPerTransaction = 25;

export type Operation = 'point-select' | 'insert' | 'transaction' | 'rows';
/** Reads first: the node and its databases are then as they were filled. */
export const operations: readonly { readonly name: Operation; readonly title: string }[] = [
  { name: 'point-select', title: 'Point select by primary key' },
  { name: 'rows', title: `Select of ${itemCount.toLocaleString('en')} rows` },
  { name: 'insert', title: 'Single-row insert' },
  { name: 'transaction', title: `Transaction of ${statementsPerTransaction} inserts` },
];

type HranaValue = { type: 'integer'; value: string } | { type: 'text'; value: string };

const eventArguments: HranaValue[] = [
  { type: 'text', value: event.kind },
  { type: 'text', value: event.payload },
];

function hranaRequest(operation: Operation, item: number): object {
  switch (operation) {
    case 'point-select':
      return { type: 'execute', stmt: { sql: selectItem, args: [{ type: 'integer', value: String(item) }] } };
    case 'insert':
      return { type: 'execute', stmt: { sql: insertEvent, args: eventArguments } };
    case 'rows':
      return { type: 'execute', stmt: { sql: selectItems } };
    case 'transaction':
      return { type: 'batch', batch: { steps: transactionSteps() } };
  }
}

/** As the official clients send a batch: every step on condition of the one before, and a rollback at the end. */
function transactionSteps(): object[] {
  const inserts = Array.from({ length: statementsPerTransaction }, () => ({ sql: insertEvent, args: eventArguments }));
  const steps = [{ sql: 'BEGIN IMMEDIATE' }, ...inserts, { sql: 'COMMIT' }].map((stmt, step) => ({
    ...(step > 0 && { condition: { type: 'ok', step: step - 1 } }),
    stmt,
  }));
  const commit = steps.length - 1;
  return [...steps, { condition: { type: 'not', cond: { type: 'ok', step: commit } }, stmt: { sql: 'ROLLBACK' } }];
}

/** The body of a pipeline with one request, and the end of its stream. */
export function pipelineBody(...requests: object[]): Buffer {
  return Buffer.from(JSON.stringify({ baton: null, requests: [...requests, { type: 'close' }] }));
}

/** The body of the pipeline for one operation; `item` chooses the row of a point select. */
export function operationBody(operation: Operation, item: number): Buffer {
  return pipelineBody(hranaRequest(operation, item));
}

/** The complete HTTP request for one operation. */
export function operationRequest(operation: Operation, label: string, token: string, item: number): Buffer {
  return pipelineRequest(label, token, operationBody(operation, item));
}

/** The complete HTTP request that sends a pipeline to the database of this host label. */
export function pipelineRequest(label: string, token: string, body: Buffer): Buffer {
  return httpRequest(`/db/${label}/v3/pipeline`, token, body);
}

export function httpRequest(path: string, token: string, body: Buffer): Buffer {
  const head = [
    `POST ${path} HTTP/1.1`,
    'Host: localhost',
    `Authorization: Bearer ${token}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
}
