/**
 * Two releases side by side: nodes are replaced by those of the next release one by one, and back again, under load, until
 * the format level is raised. Here the next release has a second version of manifests; see `releases.ts`.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { LocalObjectStore } from '@turso-byoc/data-plane/object-store/local-object-store.js';
import { systemRuntime } from '@turso-byoc/data-plane/runtime.js';
import { readFormatLevel, replaceFormatLevel } from '@turso-byoc/data-plane/storage/format-level-record.js';
import { formatLevelName, manifestName } from '@turso-byoc/data-plane/storage/object-names.js';
import { DataNode, type TestDatabase } from '../support/data-node.js';
import { formatLevel, nextRelease, overtakenRelease, thisRelease, type Release } from '../support/releases.js';

const settings = {
  TURSO_BYOC_ENGINE_PROCESSES: '1',
  TURSO_BYOC_COMMIT_WINDOW_MS: '1',
  TURSO_BYOC_LEASE_MS: '6000',
};

let nodes: DataNode[];
let isOver: boolean;
beforeEach(() => {
  nodes = [];
  isOver = false;
});
afterEach(async () => {
  isOver = true;
  const [first, ...others] = nodes;
  for (const node of others) await node.end('SIGKILL');
  await first?.dispose();
});

async function start(count: number): Promise<DataNode[]> {
  const first = await DataNode.start(settings);
  nodes.push(first);
  while (nodes.length < count) nodes.push(await first.startBeside());
  return nodes;
}

/** One writer for each database, all of them through one node, as a load balancer would choose it. */
class Load {
  readonly failures: unknown[] = [];
  readonly acknowledged: number[][];
  #via: DataNode;
  readonly #writers: Promise<void>[];
  readonly #inUse = new Map<DataNode, number>();

  constructor(
    readonly databases: readonly TestDatabase[],
    via: DataNode,
  ) {
    this.#via = via;
    this.acknowledged = databases.map(() => []);
    this.#writers = databases.map(async (database, index) => this.#write(database, this.acknowledged[index]!));
  }

  async #write(database: TestDatabase, acknowledged: number[]): Promise<void> {
    for (let n = 0; !isOver; n++) {
      const via = this.#via;
      this.#inUse.set(via, (this.#inUse.get(via) ?? 0) + 1);
      try {
        await via.run(via.here(database), {
          sql: 'INSERT INTO t VALUES (?)',
          args: [{ type: 'integer', value: `${n}` }],
        });
        acknowledged.push(n);
      } catch (error) {
        this.failures.push(error);
      }
      this.#inUse.set(via, (this.#inUse.get(via) ?? 0) - 1);
      await delay(5);
    }
  }

  /** From now on every request goes there. */
  async moveTo(node: DataNode): Promise<void> {
    const before = this.#via;
    this.#via = node;
    while ((this.#inUse.get(before) ?? 0) > 0) await delay(5);
  }

  /** Some more is written to each database. */
  async goesOn(): Promise<void> {
    const wanted = this.acknowledged.map(({ length }) => length + 3);
    while (this.acknowledged.some(({ length }, index) => length < wanted[index]!)) {
      if (this.failures.length > 0) throw new Error(`a request failed: ${String(this.failures[0])}`);
      await delay(5);
    }
  }

  /** Everything that was acknowledged can be read through each of these nodes. */
  async isReadableThrough(...through: DataNode[]): Promise<void> {
    for (const node of through) {
      for (const [index, database] of this.databases.entries()) {
        const sure = [...this.acknowledged[index]!];
        const present = new Set((await node.run(node.here(database), 'SELECT n FROM t')).map(([n]) => Number(n)));
        expect(sure.filter((n) => !present.has(n))).toEqual([]);
      }
    }
    expect(this.failures).toEqual([]);
  }

  async end(): Promise<void> {
    isOver = true;
    await Promise.all(this.#writers);
  }
}

/** Replaces one node after the other by one of another release, while the load goes through the rest. */
async function roll(load: Load, release: Release, order: readonly DataNode[]): Promise<void> {
  for (const node of order) {
    const other = nodes.find((one) => one !== node)!;
    await load.moveTo(other);
    await load.goesOn();
    await node.end('SIGTERM');
    expect(await node.exit()).toEqual({ code: 0, signal: null });
    await load.isReadableThrough(other);
    await node.restart(release.environment, release.program);
    await load.goesOn();
    await load.isReadableThrough(...nodes);
  }
}

/** The format of a database's manifest, and the field that only its second version has. */
async function manifestOf(node: DataNode, { id }: TestDatabase): Promise<{ format: string; writer?: string }> {
  const store = await LocalObjectStore.open(`${node.storeDirectory}/data`);
  const found = (await store.get(manifestName(id as Parameters<typeof manifestName>[0])))!.body.toString('utf8');
  const { writer } = JSON.parse(found.slice(found.indexOf('\n'))) as { writer?: string };
  return { format: found.split(' ')[0]!, ...(writer !== undefined && { writer }) };
}

const formatsOf = async (node: DataNode, databases: readonly TestDatabase[]): Promise<unknown[]> =>
  Promise.all(databases.map(async (database) => manifestOf(node, database)));

describe('a rolling upgrade', () => {
  it('loses nothing and fails nobody, back and forth, until the format level is raised', async () => {
    const [a, b] = (await start(2)) as [DataNode, DataNode];
    const databases: TestDatabase[] = [];
    for (let index = 0; index < 3; index++) databases.push(await a.createDatabase(`upgraded-${index}`));
    for (const database of databases) await a.run(database, 'CREATE TABLE t (n)');
    const load = new Load(databases, a);
    const first = { format: 'turso-byoc/manifest/1' };
    const second = { format: 'turso-byoc/manifest/2', writer: 'the next release' };

    // Forth, and back: the next release writes what this one reads.
    await roll(load, nextRelease, [a, b]);
    expect(await formatsOf(a, databases)).toEqual(databases.map(() => first));
    await roll(load, thisRelease, [b, a]);
    expect(await formatsOf(a, databases)).toEqual(databases.map(() => first));

    // One of each: the level cannot be raised.
    await roll(load, nextRelease, [a]);
    const refused = await formatLevel(nextRelease, a, '--raise');
    expect(refused).toMatchObject({ code: 1, output: '' });
    expect(refused.errors).toMatch(
      /^FORMAT_LEVEL_REFUSED: .* at 127\.0\.0\.1:\d+ reads formats up to level 1; upgrade/,
    );
    expect(refused.errors).toContain(new URL(b.url).host);
    expect(refused.errors).not.toContain(new URL(a.url).host);
    await load.goesOn();
    await load.isReadableThrough(a, b);

    // All of the next release: raised while they run. Each writes the new version from when it has learned of it.
    await roll(load, nextRelease, [b]);
    expect(await formatLevel(nextRelease, a, '--raise')).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^The format level is 2 now\. There is no way back/),
    });
    for (const [place, node] of nodes.entries()) {
      for (let attempt = 0; ; attempt++) {
        const { format } = await manifestOf(node, await node.createDatabase(`young-${place}-${attempt}`));
        if (format === second.format) break;
        await delay(100);
      }
    }
    await load.isReadableThrough(a, b);

    // What existed before is rewritten when its owner changes.
    await roll(load, nextRelease, [a, b]);
    expect(await formatsOf(a, databases)).toEqual(databases.map(() => second));

    // No way back: refused before it has announced itself.
    await expect(a.startBeside(thisRelease.environment, thisRelease.program)).rejects.toThrow(
      'FORMAT_LEVEL_UNKNOWN: the format level of the deployment is 2; this release reads formats up to level 1',
    );
    const shown = await formatLevel(thisRelease, a, '--show');
    expect(shown.output.split('\n').filter((line) => line.startsWith('node '))).toHaveLength(2);
    expect(shown.output).toMatch(/^format level +2\nhighest of this release +1\n/);
    await load.goesOn();
    await load.end();
    expect(load.failures).toEqual([]);
    for (const node of nodes) {
      for (const [index, database] of databases.entries()) {
        const rows = await node.run(node.here(database), 'SELECT n FROM t ORDER BY n');
        expect(rows.map(([n]) => Number(n))).toEqual(load.acknowledged[index]);
      }
    }
  }, 600_000);

  it('does not let a node in that started while the level was being raised', async () => {
    const [a] = (await start(1)) as [DataNode];
    await expect(a.startBeside(overtakenRelease.environment, overtakenRelease.program)).rejects.toThrow(
      'FORMAT_LEVEL_UNKNOWN: the format level of the deployment is being raised to 2; this release reads formats up to level 1',
    );
    // It has ended its epoch by itself: nobody has to wait for a lease, nor the raise for it.
    expect((await formatLevel(thisRelease, a, '--show')).output.match(/^node /gm)).toHaveLength(1);
    expect(a.logLines.filter((line) => line.includes('node condemned'))).toEqual([]);
  });
});

describe('a node', () => {
  const storeOf = async (node: DataNode): Promise<LocalObjectStore> =>
    LocalObjectStore.open(`${node.storeDirectory}/data`);

  it('ends when it finds that the level is above what it reads', async () => {
    const [a] = (await start(1)) as [DataNode];
    const store = await storeOf(a);
    const base = await readFormatLevel(systemRuntime, store);
    // Only announced: whoever raises asks this node first.
    const announced = await replaceFormatLevel(systemRuntime, store, base, { level: 1, raisingTo: 2 });
    await delay(3_000);
    const database = await a.createDatabase('goes-on');
    await a.run(database, 'CREATE TABLE t (n)');
    await replaceFormatLevel(systemRuntime, store, announced!, { level: 2 });
    expect(await a.exit()).toEqual({ code: 70, signal: null });
    expect(a.logLines.some((line) => line.includes('the format level of the deployment is 2'))).toBe(true);
    await expect(a.restart()).rejects.toThrow('FORMAT_LEVEL_UNKNOWN');
  });

  it('does not take a deployment that lost its level for one at the first', async () => {
    const [a] = (await start(1)) as [DataNode];
    await a.end('SIGTERM');
    await (await storeOf(a)).delete(formatLevelName);
    await expect(a.restart()).rejects.toThrow('STORE_OBJECT_MISSING: object format-level');
  });

  it('goes on when it cannot read the level for a while', async () => {
    const [a] = (await start(1)) as [DataNode];
    const store = await storeOf(a);
    const found = await store.get(formatLevelName);
    await store.delete(formatLevelName);
    while (!a.logLines.some((line) => line.includes('the format level cannot be read'))) await delay(50);
    await store.put(formatLevelName, found!.body, { ifAbsent: true });
    await a.run(await a.createDatabase('unmoved'), 'CREATE TABLE t (n)');
  });
});

describe('npm run format-level', () => {
  it('explains itself, and raises nothing in a release that has but one level', async () => {
    const [a] = (await start(1)) as [DataNode];
    const help = await formatLevel(thisRelease, a, '--help');
    expect(help).toMatchObject({ code: 0, output: expect.stringContaining('no way back') });
    expect(await formatLevel(thisRelease, a, '--up')).toEqual({ ...help, code: 2 });
    expect(await formatLevel(thisRelease, a, '--raise')).toMatchObject({
      code: 1,
      errors: expect.stringMatching(
        /^FORMAT_LEVEL_REFUSED: the format level is 1, the highest that this release knows/,
      ),
    });
    expect((await formatLevel(thisRelease, a, '--show')).output).toMatch(
      /^format level +1\nhighest of this release +1\nnode [0-9a-f]{32} +reads up to 1 +127\.0\.0\.1:\d+\n$/,
    );
  });
});
