/**
 * Invariant: no answer that depends on a commit leaves the node before the log object that holds the commit is stored.
 * And: a node that is broken in this respect is noticed by these tests.
 */
import { SteeredNode, type Mutation } from '../support/broken-node.js';
import type { DataNode, TestDatabase } from '../support/data-node.js';

const oneEngine = { TURSO_BYOC_ENGINE_PROCESSES: '1', TURSO_BYOC_COMMIT_WINDOW_MS: '0' };
const execute = (sql: string) => ({ type: 'execute', stmt: { sql } });
const close = { type: 'close' };

/** Each depends on a commit that is not durable, and what it answers when the commit is. */
const dependents: Record<string, (node: DataNode, database: TestDatabase) => Promise<unknown>> = {
  'rows of a read': async (node, database) => node.run(database, 'SELECT n FROM t WHERE n = 2'),
  'rows of a read with a read-only token': async (node, database) =>
    node.run({ ...database, token: await node.token({ id: database.id, a: 'ro' }) }, 'SELECT n FROM t WHERE n = 2'),
  'an empty result': async (node, database) => node.run(database, 'SELECT n FROM t WHERE n > 1 AND n < 2'),
  'a constraint error': async (node, database) =>
    node.run(database, 'INSERT INTO t VALUES (2)').catch((error: unknown) => String(error)),
  'a syntax error': async (node, database) => node.run(database, 'SELEC').catch((error: unknown) => String(error)),
  'a COMMIT': async (node, database) => node.run(database, 'BEGIN', 'INSERT INTO t VALUES (3)', 'COMMIT'),
  'a COMMIT of nothing': async (node, database) => node.run(database, 'BEGIN', 'COMMIT'),
  get_autocommit: async (node, database) => node.pipeline(database, [{ type: 'get_autocommit' }, close]),
  describe: async (node, database) => node.pipeline(database, [{ type: 'describe', sql: 'SELECT * FROM t' }, close]),
  'a sequence': async (node, database) => node.pipeline(database, [{ type: 'sequence', sql: 'SELECT 1;' }, close]),
  'the head of a cursor': async (_node, database) => {
    // Long enough to leave in parts.
    const sql = 'SELECT n, value, hex(zeroblob(20000)) FROM t, generate_series(1, 40)';
    const batch = { steps: [{ stmt: { sql } }] };
    const answer = await fetch(`${database.url}v3/cursor`, {
      method: 'POST',
      headers: { authorization: `Bearer ${database.token}` },
      body: JSON.stringify({ baton: null, batch }),
    });
    await answer.body?.cancel();
    return { status: answer.status };
  },
};

interface Outcome {
  /** What was answered while the store had not stored the commit. */
  readonly early: string[];
  readonly late: Record<string, unknown>;
}

/** Lets a commit wait in front of the store, asks for everything that depends on it, and only then lets it through. */
async function askBeforeDurable(mutation?: Mutation): Promise<Outcome> {
  const steered = await SteeredNode.start(oneEngine, mutation);
  const { node } = steered;
  try {
    const subject = await node.createDatabase('subject');
    const other = await node.createDatabase('other');
    await node.run(subject, 'CREATE TABLE t (n INTEGER PRIMARY KEY)', 'INSERT INTO t VALUES (1)');
    await node.run(other, 'CREATE TABLE t (n)');

    const { held } = await steered.hold('log', 'put');
    const early: string[] = [];
    let released = false;
    const ask = async (name: string, answer: Promise<unknown>): Promise<[string, unknown]> => {
      const result = await answer;
      if (!released) early.push(name);
      return [name, result];
    };
    const asked = [ask('the write itself', node.run(subject, 'INSERT INTO t VALUES (2)'))];
    await held();
    for (const [name, dependent] of Object.entries(dependents)) asked.push(ask(name, dependent(node, subject)));
    // The one engine process takes turns among databases: after these round trips it has long run all of the above.
    for (let round = 0; round < 50; round++) await node.run(other, 'SELECT count(*) FROM t');
    const answeredEarly = [...early];
    released = true;
    await steered.release();
    return { early: answeredEarly, late: Object.fromEntries(await Promise.all(asked)) };
  } finally {
    await node.dispose();
  }
}

describe('acknowledged means durable', () => {
  it('nothing that depends on a commit is answered before the commit is stored, and everything afterwards', async () => {
    const { early, late } = await askBeforeDurable();
    expect(early).toEqual([]);
    expect(late).toMatchObject({
      'rows of a read': [['2']],
      'rows of a read with a read-only token': [['2']],
      'an empty result': [],
      'a constraint error': expect.stringContaining('SQLITE_CONSTRAINT') as unknown,
      'a COMMIT': [],
      get_autocommit: { status: 200 },
      'the head of a cursor': { status: 200 },
    });
  });

  it.each([
    {
      what: 'a gate that does not wait',
      notices: ['the write itself', 'rows of a read', 'a constraint error', 'a COMMIT', 'the head of a cursor'],
      mutation: {
        file: 'database/durability-gate.js',
        from: 'if (commit <= this.#durable)',
        to: 'if (commit >= 0)',
      },
    },
    {
      what: 'a commit log that acknowledges before it stores',
      notices: ['the write itself', 'rows of a read'],
      mutation: {
        file: 'storage/commit-log.js',
        from: 'if (!(await this.#store(position, bytes)))',
        to: 'if (!(this.#store(position, bytes) && true))',
      },
    },
    {
      what: 'reads that do not wait',
      notices: ['rows of a read with a read-only token'],
      mutation: {
        file: 'database/engine-request.js',
        from: 'onPart: (part) => gated.push(part)',
        to: 'onPart: (part) => gated.push(request.readOnly ? { ...part, seenCommit: 0 } : part)',
      },
    },
    {
      what: 'a cursor that does not wait',
      notices: ['the head of a cursor'],
      mutation: {
        file: 'database/gated-response.js',
        from: 'await this.#gate.wait(first.seenCommit);',
        to: 'first.last ? await this.#gate.wait(first.seenCommit) : undefined;',
      },
    },
  ])('$what would be noticed', async ({ mutation, notices }) => {
    expect((await askBeforeDurable(mutation)).early).toEqual(expect.arrayContaining(notices));
  });

  it('a later line of a cursor waits for what was committed before it', async () => {
    const steered = await SteeredNode.start(oneEngine);
    const { node } = steered;
    try {
      const database = await node.createDatabase('cursor');
      await node.run(database, 'CREATE TABLE t (n INTEGER PRIMARY KEY, v)');
      const { held } = await steered.hold('log', 'put');
      const answer = await fetch(`${database.url}v3/cursor`, {
        method: 'POST',
        headers: { authorization: `Bearer ${database.token}` },
        body: JSON.stringify({
          baton: null,
          batch: {
            steps: [
              { stmt: { sql: 'SELECT value, hex(zeroblob(20000)) FROM generate_series(1, 40)' } },
              { stmt: { sql: "INSERT INTO t VALUES (1, 'not durable')" } },
            ],
          },
        }),
      });
      // The rows come while nothing is committed; the end of the insertion comes when it is stored.
      const decoder = new TextDecoder();
      let text = '';
      const reading = (async () => {
        for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
          text += decoder.decode(chunk, { stream: true });
        }
      })();
      await held();
      for (let round = 0; round < 20; round++) await fetch(`${node.url}/health`);
      expect(text).not.toContain('"step":1');
      await steered.release();
      await reading;
      expect(text).toContain('"affected_row_count":1');
    } finally {
      await node.dispose();
    }
  });

  it('what was never acknowledged may be gone after a death, and nothing else', async () => {
    const steered = await SteeredNode.start(oneEngine);
    const { node } = steered;
    try {
      const database = await node.createDatabase('killed');
      await node.run(database, 'CREATE TABLE t (n INTEGER PRIMARY KEY)', 'INSERT INTO t VALUES (1)');
      const { held } = await steered.hold('log', 'put');
      const asked = [execute('INSERT INTO t VALUES (2)'), execute('SELECT max(n) FROM t')].map(async (request) =>
        node.pipeline(database, [request, close]).then(
          () => 'answered',
          () => 'no answer',
        ),
      );
      await held();
      await node.end('SIGKILL');
      expect(await Promise.all(asked)).toEqual(['no answer', 'no answer']);
      await node.restart();
      expect(await node.run(database, 'SELECT n FROM t')).toEqual([['1']]);
    } finally {
      await node.dispose();
    }
  });
});
