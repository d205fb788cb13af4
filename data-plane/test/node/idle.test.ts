/** Invariant: a database that nobody talks to causes no request, no work, and no memory or files once it is closed. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { countedIn, DataNode, sharedLease, type TestDatabase } from '../support/data-node.js';
import { engineProcesses } from '../support/engine-processes.js';

const windowMs = 5_000;
const settings = { ...sharedLease, TURSO_BYOC_ENGINE_PROCESSES: '1', TURSO_BYOC_COMMIT_WINDOW_MS: '1' };

/** User and system time of a process, in clock ticks of 10 ms. */
async function cpuTicks(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/**
 * Requests to the store but for those by which nodes know of each other, and the one by which a node stores, a minute after
 * databases were used, what they used: these are a node's, however many databases it has.
 */
async function requestsForDatabases(node: DataNode): Promise<number> {
  // All of one moment: a beat of the node between two looks would be counted in one of them.
  const metrics = await node.metrics();
  const counted = (...labels: string[]): number => countedIn(metrics, 'store_requests_total', ...labels);
  const ofTheNode = ['nodes', 'members', 'format-level', 'usage'];
  return ofTheNode.reduce((rest, objects) => rest - counted(`objects="${objects}"`), counted());
}

/** What a node and its engine processes do in a window of time. */
async function activity(node: DataNode): Promise<{ storeRequests: number; cpuMs: number }> {
  const processes = [node.pid, ...engineProcesses(node)];
  const sum = async (): Promise<number> =>
    (await Promise.all(processes.map(cpuTicks))).reduce((total, ticks) => total + ticks, 0);
  const requestsBefore = await requestsForDatabases(node);
  const ticksBefore = await sum();
  await delay(windowMs);
  const cpuMs = ((await sum()) - ticksBefore) * 10;
  return { storeRequests: (await requestsForDatabases(node)) - requestsBefore, cpuMs };
}

async function untilClosed(node: DataNode): Promise<void> {
  while ((await node.counted('open_databases')) > 0) await delay(50);
}

/** Directories of databases in the cache. */
async function databaseDirectories(node: DataNode): Promise<string[]> {
  const entries = await readdir(node.cacheDirectory, { recursive: true });
  return entries.filter((entry) => /[0-9a-f-]{36}\.[0-9a-f]{8}$/.test(entry)).map((entry) => join(entry));
}

async function createMany(node: DataNode, prefix: string, count: number): Promise<TestDatabase[]> {
  const databases: TestDatabase[] = [];
  for (let index = 0; index < count; index++) {
    databases.push(await node.createDatabase(`${prefix}-${index}`, index % 4 === 3 ? 'tursodb' : 'libsql'));
  }
  return databases;
}

describe('databases that nobody talks to', () => {
  it.each([
    { state: 'never opened', idleCloseMs: 60_000, use: false },
    { state: 'open', idleCloseMs: 60_000, use: true },
    { state: 'closed', idleCloseMs: 200, use: true },
  ])('$state: no request to the store, no work', async ({ idleCloseMs, use, state }) => {
    const node = await DataNode.start({ ...settings, TURSO_BYOC_IDLE_CLOSE_MS: String(idleCloseMs) });
    try {
      const databases = await createMany(node, 'idle', 20);
      if (use) {
        for (const database of databases) await node.run(database, 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1)');
        if (state === 'closed') await untilClosed(node);
        else expect(await node.counted('open_databases')).toBe(databases.length);
      }
      await delay(500);
      const idle = await activity(node);
      expect(idle.storeRequests).toBe(0);
      // A twentieth of one core, with what Node.js does for itself and what reading the counters costs.
      expect(idle.cpuMs).toBeLessThanOrEqual(windowMs / 20);
      if (state === 'closed') expect(await databaseDirectories(node)).toEqual([]);
      if (state === 'open') expect(await databaseDirectories(node)).toHaveLength(databases.length);
    } finally {
      await node.dispose();
    }
  });

  it('a node that asked the store once a second for an open database would be noticed', async () => {
    const node = await DataNode.start({ ...settings });
    try {
      const database = await node.createDatabase('polled');
      await node.run(database, 'CREATE TABLE t (n)');
      const polling = setInterval(
        () => void node.run(database, 'INSERT INTO t VALUES (1)').catch(() => undefined),
        1_000,
      );
      const { storeRequests } = await activity(node);
      clearInterval(polling);
      expect(storeRequests).toBeGreaterThan(0);
    } finally {
      await node.dispose();
    }
  });

  it('closed again and again: the memory of the engine process returns', async () => {
    const node = await DataNode.start({
      ...settings,
      TURSO_BYOC_IDLE_CLOSE_MS: '200',
      TURSO_BYOC_STANDBY_PROCESS: '0',
    });
    try {
      const databases: TestDatabase[] = [];
      for (let index = 0; index < 24; index++) databases.push(await node.createDatabase(`memory-${index}`));
      for (const database of databases) {
        await node.run(database, 'CREATE TABLE t (padding)', 'INSERT INTO t VALUES (zeroblob(1000000))');
      }
      const [engine] = engineProcesses(node);
      const cycle = async (): Promise<{ open: number; closed: number }> => {
        await Promise.all(
          databases.map(async (database) => node.run(database, 'SELECT count(*), max(padding) IS NULL FROM t')),
        );
        const open = await residentBytes(engine!);
        await untilClosed(node);
        await delay(200);
        return { open, closed: await residentBytes(engine!) };
      };
      await untilClosed(node);
      const first = await cycle();
      for (let round = 0; round < 4; round++) await cycle();
      const last = await cycle();
      // Less than a megabyte for each of five rounds: what a round had taken, it gave back.
      expect(last.closed - first.closed).toBeLessThan(databases.length * 1_000_000);
      expect(await databaseDirectories(node)).toEqual([]);
      expect(engineProcesses(node)).toEqual([engine]);
    } finally {
      await node.dispose();
    }
  });
});
