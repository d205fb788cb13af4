import { randomUUID } from 'node:crypto';
import { hostileCorpus } from '../hostile-sql/corpus.js';
import { withPaths, type HostileCase } from '../hostile-sql/hostile-case.js';
import { catalogue } from '../../src/errors/catalogue.js';
import type { EngineName } from '../../src/identity.js';
import { DataNode, type TestDatabase } from '../support/data-node.js';
import { databaseDirectory, MarkedPlaces } from '../support/marked-places.js';
import { sqlWays, type SqlWay, type WireAnswer } from '../support/sql-ways.js';

const allWays = Object.keys(sqlWays) as SqlWay[];

/** From the gate, or from the engine when the gate let it compile the statement: neither has run anything. */
const refusal = /^SQL_|^SQLITE_ERROR$/;

/** These are refused as one statement; as a sequence of statements there is nothing wrong with them. */
const fineAsSequence = new Set(['1,000,000 statements', 'an empty text', 'only a comment', 'a comment without end']);

/** Cases that need a file no client can bring are for the tests of the gate itself. */
const corpus = hostileCorpus.filter(({ planted }) => planted === undefined);

class Scene {
  #databases = 0;

  private constructor(
    readonly node: DataNode,
    readonly engine: EngineName,
    readonly startedAs: number,
    readonly attacker: TestDatabase,
    readonly neighbour: TestDatabase,
    readonly neighboursRow: string,
    readonly places: MarkedPlaces,
  ) {}

  /** A node with two tenants; what the attacker must not see is marked. */
  static async set(engine: EngineName, statementDeadlineMs: number): Promise<Scene> {
    const node = await DataNode.start({ TURSO_BYOC_STATEMENT_DEADLINE_MS: String(statementDeadlineMs) });
    const [attacker, neighbour] = [
      await node.createDatabase('attacker', engine),
      await node.createDatabase('neighbour', engine),
    ];
    const row = randomUUID();
    await node.run(attacker, 'SELECT 1');
    await node.run(neighbour, 'CREATE TABLE secrets (a)', `INSERT INTO secrets VALUES ('${row}')`);
    return new Scene(node, engine, node.pid, attacker, neighbour, row, new MarkedPlaces(node, neighbour, row));
  }

  async send(database: TestDatabase, way: SqlWay, sql: string): Promise<WireAnswer> {
    const answer = await sqlWays[way](this.node, database, sql);
    expect(this.places.leaks(answer.text)).toEqual([]);
    if (answer.error) {
      expect(answer.error.message).not.toBe('');
      expect(answer.error.message.length).toBeLessThan(1_100);
      expect(answer.error.code).not.toBe('INTERNAL');
      if (!answer.error.code.startsWith('SQLITE_')) expect(Object.keys(catalogue)).toContain(answer.error.code);
    }
    return answer;
  }

  /** A database of the attacker in which the statements before the attack have run. */
  async prepare(statements: readonly string[]): Promise<TestDatabase> {
    if (statements.length === 0) return this.attacker;
    const database = await this.node.createDatabase(`attacker-${this.#databases++}`, this.engine);
    for (const sql of statements) await this.send(database, 'v3 execute', sql);
    return database;
  }

  async expectNeighbourUnharmed(): Promise<void> {
    expect(await this.node.run(this.neighbour, 'SELECT a FROM secrets')).toEqual([[this.neighboursRow]]);
    expect(this.node.pid).toBe(this.startedAs);
  }

  async clear(): Promise<void> {
    this.places.remove();
    await this.node.dispose();
  }
}

const attacks = (engine: EngineName, expectation: HostileCase['expectation']): [string, HostileCase, number][] =>
  corpus
    .filter(
      (hostile) => (hostile.engine === engine || hostile.engine === 'both') && hostile.expectation === expectation,
    )
    .map((hostile, index) => [hostile.name.slice(0, 100), hostile, index]);

const statementsOf = ({ setup = [], sql }: HostileCase): { before: string[]; attack: string } => {
  const statements = typeof sql === 'string' ? [sql] : sql;
  return { before: [...setup, ...statements.slice(0, -1)], attack: statements.at(-1) as string };
};

describe.each(['libsql', 'tursodb'] as const)('hostile SQL through HTTP is refused by %s', (engine) => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.set(engine, 20_000);
  });
  afterAll(async () => scene.clear());

  it.each(attacks(engine, 'refused'))('%s', async (name, hostile, index) => {
    const { before, attack } = statementsOf(withPaths(hostile, scene.places.paths(index)));
    const database = await scene.prepare(before);
    for (const way of allWays) {
      if (way === 'sequence' && fineAsSequence.has(name)) continue;
      const { error } = await scene.send(database, way, attack);
      expect({ way, code: error?.code }).toEqual({ way, code: expect.stringMatching(refusal) });
    }
    expect(scene.places.changes()).toEqual([]);
  });

  it.each([
    ['readfile', "SELECT readfile('{file}')"],
    ['ATTACH', "ATTACH '{file}' AS other"],
    ['ATTACH as a URI', "ATTACH 'file:{file}?mode=ro' AS other"],
    ['a directory', "SELECT name, data FROM fsdir('{folder}')"],
    ['VACUUM INTO', "VACUUM INTO '{file}'"],
    ['writefile', "SELECT writefile('{file}', 'gone')"],
  ])("the file of another tenant's database by %s", async (_how, template) => {
    const folder = databaseDirectory(scene.node, scene.neighbour);
    const sql = template.replaceAll('{file}', `${folder}/db`).replaceAll('{folder}', folder);
    for (const way of allWays) {
      expect((await scene.send(scene.attacker, way, sql)).error?.code).toMatch(refusal);
    }
    await scene.expectNeighbourUnharmed();
  });

  it('a function behind whatever characters before its parenthesis', async () => {
    // Whatever the engine takes for white space, or leaves out, the gate must not take for something else.
    const characters = Array.from({ length: 0x100 }, (_, code) => String.fromCharCode(code));
    const unusual = ['\u2028', '\u3000', '\ufeff', '\ufffe', '\u200b', '\ud800', '\u{10ffff}'];
    const between = [...characters, ...unusual].flatMap((one) => [
      one,
      ` ${one}`,
      `${one} `,
      ` ${one}${one} `,
      `/**/${one}`,
    ]);
    const passed: unknown[] = [];
    for (const each of between) {
      const { error } = await scene.send(
        scene.attacker,
        'v3 execute',
        `SELECT length(readfile${each}('/proc/self/stat'))`,
      );
      if (!refusal.test(error?.code ?? '')) passed.push([JSON.stringify(each), error?.code ?? 'works']);
    }
    expect(passed).toEqual([]);
  });

  it('and all of that costs no engine process', async () => {
    expect(scene.node.logLines.filter((line) => line.includes('engine process ended'))).toEqual([]);
    await scene.expectNeighbourUnharmed();
  });
});

describe.each(['libsql', 'tursodb'] as const)('hostile SQL through HTTP harms nobody else on %s', (engine) => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.set(engine, 500);
  });
  afterAll(async () => scene.clear());

  it.each(attacks(engine, 'contained'))('%s', async (_name, hostile, index) => {
    const { before, attack } = statementsOf(withPaths(hostile, scene.places.paths(0)));
    const database = await scene.prepare(['CREATE TABLE mine (a)', ...before]);
    for (const way of ['v3 execute', allWays[index % allWays.length] as SqlWay] as const) {
      const { status, error } = await scene.send(database, way, attack);
      expect([200, 400, 503]).toContain(status);
      if (status !== 200) expect(error?.code).toMatch(/^(STATEMENT_TIMEOUT|ENGINE_RESTARTED)$/);
      await scene.expectNeighbourUnharmed();
      await scene.node.run(database, 'INSERT INTO mine VALUES (1)');
    }
    expect(await scene.node.run(database, 'SELECT count(*) FROM mine')).toEqual([['2']]);
  });
});
