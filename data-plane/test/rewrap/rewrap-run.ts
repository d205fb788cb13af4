/**
 * Very many databases of a running node go from one key to another by the operator's command, which is killed again and
 * again in the middle, while clients write. Then the old key is disabled: nothing may need it any more.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createKey, setKeyState } from '@turso-byoc/data-plane/keys/local-key-service.js';
import { seededRandom } from '../seeded-random.js';
import { DataNode, type TestDatabase } from '../support/data-node.js';

const command = fileURLToPath(import.meta.resolve('@turso-byoc/data-plane/rewrap/rewrap-command.js'));

export interface RewrapRunOptions {
  readonly seed: number;
  readonly databases: number;
  /** Databases that are written without pause while it goes on. */
  readonly written: number;
  readonly kills: number;
  /** As the command takes it. */
  readonly perSecond: number;
  readonly onProgress: (line: string) => void;
}

export interface RewrapRunResult {
  /** Databases that each run of the command had rewrapped, from the state of the store; the last run was not killed. */
  readonly rewrappedByRun: readonly number[];
  readonly elapsedMs: number;
  /** What the last run said. */
  readonly lastWords: string;
  readonly leftUnderOldKey: number;
  readonly writes: number;
  readonly failedWrites: readonly string[];
  /** Databases that were opened after the old key was disabled, and what went wrong. */
  readonly opened: number;
  readonly failedOpens: readonly string[];
}

const parallel = 16;

export async function rewrapRun(options: RewrapRunOptions): Promise<RewrapRunResult> {
  const { databases, written, kills, onProgress } = options;
  const random = seededRandom(options.seed);
  const node = await DataNode.start({ TURSO_BYOC_KEY_PROBE_MS: '1000' });
  try {
    for (const key of ['old', 'new']) await createKey(node.keyDirectory, key, Date.now());
    const all = await inParallel(databases, async (n) => node.createDatabase(`db-${n}`, 'libsql', { keyId: 'old' }));
    const busy = all.slice(0, written);
    for (const database of busy) await node.run(database, 'CREATE TABLE t (n INTEGER)');
    onProgress(`${databases} databases were created, ${written} are written`);

    const writing = { isDone: false, writes: 0, failures: [] as string[] };
    const writers = busy.map(async (database) => {
      while (!writing.isDone) {
        await node.run(database, 'INSERT INTO t VALUES (1)').then(
          () => (writing.writes += 1),
          (error: unknown) => writing.failures.push(String(error)),
        );
      }
    });
    const startedMs = performance.now();
    const rewrappedByRun: number[] = [];
    let done = 0;
    const noteRun = async (): Promise<void> => {
      const now = databases - (await underKey(node, all, 'old'));
      rewrappedByRun.push(now - done);
      done = now;
      onProgress(`${now} of ${databases} are rewrapped`);
    };
    for (let kill = 0; kill < kills; kill++) {
      const share = databases / (kills + 1) / options.perSecond;
      const { child, ended } = startCommand(node, options);
      await Promise.race([ended, delay(share * 1_000 * (0.5 + random.below(1_000) / 1_000))]);
      child.kill('SIGKILL');
      await ended;
      await noteRun();
    }
    const last = await startCommand(node, options).ended;
    await noteRun();
    const elapsedMs = performance.now() - startedMs;
    writing.isDone = true;
    await Promise.all(writers);

    const leftUnderOldKey = await underKey(node, all, 'old');
    await setKeyState(node.keyDirectory, 'old', 'disabled');
    await node.end('SIGTERM');
    await node.restart();
    const opened = [...busy, ...Array.from({ length: 100 }, () => all[random.below(all.length)] as TestDatabase)];
    const failedOpens: string[] = [];
    for (const database of opened) {
      await node.run(node.here(database), 'SELECT 1').catch((error: unknown) => failedOpens.push(String(error)));
    }
    return {
      rewrappedByRun,
      elapsedMs,
      lastWords: last.trim().split('\n').at(-1) ?? '',
      leftUnderOldKey,
      writes: writing.writes,
      failedWrites: writing.failures,
      opened: opened.length,
      failedOpens,
    };
  } finally {
    await node.dispose();
  }
}

function startCommand(
  node: DataNode,
  { perSecond }: RewrapRunOptions,
): { child: ReturnType<typeof spawn>; ended: Promise<string> } {
  const words = ['--node', node.adminUrl, '--credential', node.credentialFile, '--key', 'new', '--all'];
  const child = spawn(process.execPath, [command, ...words, '--per-second', String(perSecond)], {
    env: { ...process.env, TURSO_BYOC_STORE_DIR: node.storeDirectory },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return { child, ended: once(child, 'close').then(() => output) };
}

async function underKey(node: DataNode, all: readonly TestDatabase[], key: string): Promise<number> {
  const keys = await inParallel(all.length, async (n) => {
    const answer = await node.admin('GET', `/admin/v1/databases/${(all[n] as TestDatabase).id}`);
    return ((await answer.json()) as { database: { keyId: string } }).database.keyId;
  });
  return keys.filter((one) => one === key).length;
}

async function inParallel<T>(count: number, work: (n: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      for (let n = next++; n < count; n = next++) results[n] = await work(n);
    }),
  );
  return results;
}
