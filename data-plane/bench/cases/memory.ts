/** Memory of databases: open, created but never opened, and closed again. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineName } from '@turso-byoc/data-plane/identity.js';
import { memoryUse, type MemoryUse } from '../processes/memory.js';
import { singleFigure, target } from '../report/figures.js';
import type { Result } from '../report/report.js';
import { DataNode, type BenchDatabase } from '../subjects/data-node.js';
import { Deployment } from '../subjects/deployment.js';
import { memoryPerDatabase, memoryPerOpenDatabase } from '../subjects/open-many.js';
import { inParallel } from '../subjects/in-parallel.js';
import { commitWindowMs, type BenchCase, type CaseContext } from './bench-case.js';

const openDatabaseBytes = 300_000;
/** Opened before the first look, so that what a process takes once does not count. */
const warmUpDatabases = 20;
/** On each of them: until the code is compiled and the heaps have grown. */
const warmUpQueries = 25;
const idleCloseMs = 1_000;
const neverMs = 86_400_000;
/** Until buffers of the last requests are collected and files are written. */
const settleMs = 1_000;

export const memoryCase: BenchCase = {
  name: 'memory',
  title: 'Memory',
  explanation:
    'Memory of all processes of the node (I/O and engine processes) per database with one table and one row. "resident" ' +
    'counts shared pages in full, "proportional" by share, "private" not at all. Open: after the first query on each, ' +
    'against the same node before. Closed: after they were created, filled and closed. Never opened: created through the admin ' +
    'interface only. Engine alone: the same number of databases opened with the node’s adapter in a process without a ' +
    'server, once with the huge pages that the engine asks the kernel for and once with them switched off for the process.',
  run: async (context) => {
    const results: Result[] = [];
    for (const engine of ['libsql', 'tursodb'] as const) results.push(...(await measureEngine(engine, context)));
    const open = results.find(({ parameters }) => parameters.engine === 'libsql' && parameters.state === 'open');
    const resident = open?.figures.find(({ name }) => name === 'resident')?.value ?? NaN;
    return {
      results,
      targets: [target('open database, libsql: resident', 'bytes', resident, 'at most', openDatabaseBytes)],
    };
  },
};

async function measureEngine(engine: EngineName, { directory, budget, progress }: CaseContext): Promise<Result[]> {
  const count = budget.memoryDatabases;
  const deployment = await Deployment.create(join(directory, engine));
  const databases: BenchDatabase[] = [];
  const results: Result[] = [];
  const add = (state: string, hugePages: boolean, use: MemoryUse): void => {
    const parameters = { engine, state, 'huge pages': hugePages ? 'allowed' : 'off' };
    results.push({ case: memoryCase.name, parameters, figures: figures(use) });
  };

  progress(`Memory: creating ${count} databases of ${engine}, until they are closed`);
  await withNode(deployment, idleCloseMs, async (node) => {
    databases.push(...(await create(node, engine, 'warm', warmUpDatabases)));
    const before = await warmMemory(node, databases);
    databases.push(...(await create(node, engine, 'memory', count)));
    await node.allClosed();
    add('closed', node.engineHugePages(), memoryPerDatabase(before, await memory(node), count));
  });

  progress(`Memory: opening ${count} databases of ${engine}`);
  await withNode(deployment, neverMs, async (node) => {
    const before = await warmMemory(node, databases);
    await inParallel(databases.slice(warmUpDatabases), async (database) => query(node, database));
    const open = await memory(node);
    add('open', node.engineHugePages(), memoryPerDatabase(before, open, count));
    await inParallel(Array.from({ length: count }), async (_, at) => node.createDatabase(`never${at}`, engine));
    add('never opened', node.engineHugePages(), memoryPerDatabase(open, await memory(node), count));
  });

  for (const withoutHugePages of [false, true]) {
    progress(`Memory: ${engine} alone, huge pages ${withoutHugePages ? 'off' : 'allowed'}`);
    const files = join(directory, `${engine}-alone-${withoutHugePages}`);
    const use = await memoryPerOpenDatabase({ engine, directory: files, databases: count, withoutHugePages });
    if (use !== undefined) add('open, engine alone', !withoutHugePages, use);
  }
  return results;
}

/** The node's memory once it has everything that it needs whatever the number of databases. */
async function warmMemory(node: DataNode, databases: readonly BenchDatabase[]): Promise<MemoryUse> {
  for (let time = 0; time < warmUpQueries; time++) {
    await inParallel(databases.slice(0, warmUpDatabases), async (database) => query(node, database));
  }
  return memory(node);
}

async function memory(node: DataNode): Promise<MemoryUse> {
  await sleep(settleMs);
  return memoryUse([node.ioProcessId, ...node.engineProcessIds()]);
}

async function query(node: DataNode, database: BenchDatabase): Promise<void> {
  await node.execute(database, 'SELECT a FROM t');
}

/** Databases with one table and one row each. */
async function create(node: DataNode, engine: EngineName, name: string, count: number): Promise<BenchDatabase[]> {
  return inParallel(Array.from({ length: count }), async (_, index) => {
    const database = await node.createDatabase(`${name}${index}`, engine);
    await node.execute(database, 'CREATE TABLE t (a)', 'INSERT INTO t VALUES (1)');
    return database;
  });
}

async function withNode<Value>(
  deployment: Deployment,
  closeAfterMs: number,
  work: (node: DataNode) => Promise<Value>,
): Promise<Value> {
  const node = await DataNode.start(deployment, {
    TURSO_BYOC_COMMIT_WINDOW_MS: String(commitWindowMs),
    TURSO_BYOC_IDLE_CLOSE_MS: String(closeAfterMs),
    TURSO_BYOC_MAX_OPEN_DATABASES: '100000',
  });
  try {
    return await work(node);
  } finally {
    await node.stop();
  }
}

function figures(use: MemoryUse): Result['figures'] {
  return [
    singleFigure('resident', 'bytes', use.residentBytes),
    singleFigure('proportional', 'bytes', use.proportionalBytes),
    singleFigure('private', 'bytes', use.privateBytes),
  ];
}
