/**
 * Writers on many databases, a node that is killed with SIGKILL at random moments, and the count of what is missing.
 *
 * Each transaction inserts three rows that belong together and carry a digest of seed, database and number. Afterwards
 * every acknowledged transaction must be there whole, no other one in part, and no database empty or missing.
 */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom, type SeededRandom } from '../seeded-random.js';
import { DataNode, type TestDatabase } from '../support/data-node.js';

export interface CrashRunOptions {
  readonly seed: number;
  readonly databases: number;
  readonly kills: number;
  /** Every how many databases one uses the Turso engine; 0 = none. */
  readonly tursodbEvery: number;
  readonly onProgress?: (line: string) => void;
}

export interface CrashRunResult {
  readonly acknowledged: number;
  readonly unacknowledged: number;
  /** Unacknowledged transactions that are there after all, whole. */
  readonly presentUnacknowledged: number;
  readonly failures: string[];
}

const partsPerTransaction = 3;

interface Writer {
  readonly database: TestDatabase;
  next: number;
  readonly acknowledged: Set<number>;
  readonly unknown: Set<number>;
}

export async function crashRun(options: CrashRunOptions): Promise<CrashRunResult> {
  const { seed, kills, onProgress = () => undefined } = options;
  const random = seededRandom(seed);
  // A small fold threshold cannot be set from outside; large rows make folds happen instead.
  const node = await DataNode.start({ TURSO_BYOC_COMMIT_WINDOW_MS: '5', TURSO_BYOC_IDLE_CLOSE_MS: '1000' });
  try {
    const writers = await createWriters(node, options);
    const failures: string[] = [];
    for (let kill = 1; kill <= kills; kill++) {
      const running = { stopped: false };
      const writing = writers.map((writer) => write(node, writer, seed, running, random));
      // Half of the kills hit a node that is still opening its databases, the others one in full swing.
      if (kill % 2 === 0) await acknowledgedMore(writers, writers.length);
      await delay(50 + random.below(1_500));
      await node.end('SIGKILL');
      running.stopped = true;
      await Promise.all(writing);
      const withoutCache = random.below(2) === 0;
      if (withoutCache) await node.deleteCache();
      await node.restart();
      const sample = writers[random.below(writers.length)];
      if (sample) failures.push(...(await check(node, sample, seed)));
      onProgress(
        `kill ${kill}/${kills}${withoutCache ? ', cache deleted' : ''}: ` +
          `${writers.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0)} transactions acknowledged, ${failures.length} failures`,
      );
    }
    for (const writer of writers) failures.push(...(await check(node, writer, seed)));
    const present = await Promise.all(writers.map(async (writer) => presentUnknown(node, writer)));
    return {
      acknowledged: writers.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0),
      unacknowledged: writers.reduce((sum, { unknown }) => sum + unknown.size, 0),
      presentUnacknowledged: present.reduce((sum, count) => sum + count, 0),
      failures: [...new Set(failures)],
    };
  } finally {
    await node.dispose();
  }
}

/** Waits until `count` more transactions were acknowledged, at most for a while. */
async function acknowledgedMore(writers: readonly Writer[], count: number): Promise<void> {
  const total = (): number => writers.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0);
  const wanted = total() + count;
  for (let waitedMs = 0; total() < wanted && waitedMs < 20_000; waitedMs += 50) await delay(50);
}

async function createWriters(node: DataNode, options: CrashRunOptions): Promise<Writer[]> {
  const writers: Writer[] = [];
  for (let index = 0; index < options.databases; index++) {
    const isTurso = options.tursodbEvery > 0 && index % options.tursodbEvery === options.tursodbEvery - 1;
    const database = await node.createDatabase(`crash-${index}`, isTurso ? 'tursodb' : 'libsql');
    await node.run(
      database,
      'CREATE TABLE parts (tx INTEGER, part INTEGER, digest TEXT, padding BLOB, PRIMARY KEY (tx, part))',
    );
    writers.push({ database, next: 1, acknowledged: new Set(), unknown: new Set() });
  }
  return writers;
}

async function write(
  node: DataNode,
  writer: Writer,
  seed: number,
  running: { stopped: boolean },
  random: SeededRandom,
): Promise<void> {
  while (!running.stopped) {
    const tx = writer.next++;
    writer.unknown.add(tx);
    const paddingBytes = random.below(20) === 0 ? 60_000 : 20;
    const insert = (part: number) => ({
      sql: 'INSERT INTO parts VALUES (?, ?, ?, zeroblob(?))',
      args: [
        { type: 'integer', value: String(tx) },
        { type: 'integer', value: String(part) },
        { type: 'text', value: digest(seed, writer.database.name, tx, part) },
        { type: 'integer', value: String(paddingBytes) },
      ],
    });
    const steps = [
      { stmt: { sql: 'BEGIN IMMEDIATE' } },
      ...[1, 2, 3].map((part) => ({ stmt: insert(part), condition: { type: 'ok', step: part - 1 } })),
      { stmt: { sql: 'COMMIT' }, condition: { type: 'ok', step: 3 } },
    ];
    try {
      const { status, body } = await node.pipeline(writer.database, [
        { type: 'batch', batch: { steps } },
        { type: 'close' },
      ]);
      const result = body.results[0]?.response?.result;
      if (status === 200 && result?.step_errors.every((error: unknown) => error === null)) {
        writer.unknown.delete(tx);
        writer.acknowledged.add(tx);
      } else {
        await delay(20);
      }
    } catch {
      // The node is gone: whether this transaction took effect is unknown, which is what the check allows.
      await delay(20);
    }
    await delay(random.below(30));
  }
}

/** What is wrong in one database: nothing, if all is well. */
async function check(node: DataNode, writer: Writer, seed: number): Promise<string[]> {
  const { name } = writer.database;
  const failures: string[] = [];
  let rows: string[][];
  try {
    rows = (await node.run(writer.database, 'SELECT tx, part, digest FROM parts ORDER BY tx, part')) as string[][];
    const integrity = await node.run(writer.database, 'PRAGMA integrity_check');
    if (integrity[0]?.[0] !== 'ok') failures.push(`${name}: integrity_check says ${JSON.stringify(integrity[0])}`);
  } catch (error) {
    return [`${name}: cannot be read: ${String(error)}`];
  }
  const parts = new Map<number, number>();
  for (const [tx, part, found] of rows) {
    parts.set(Number(tx), (parts.get(Number(tx)) ?? 0) + 1);
    if (found !== digest(seed, name, Number(tx), Number(part)))
      failures.push(`${name}: transaction ${tx} part ${part} has foreign content`);
  }
  for (const [tx, count] of parts) {
    if (count !== partsPerTransaction)
      failures.push(`${name}: transaction ${tx} is there in part (${count} of ${partsPerTransaction})`);
    if (!writer.acknowledged.has(tx) && !writer.unknown.has(tx))
      failures.push(`${name}: transaction ${tx} was never sent`);
  }
  for (const tx of writer.acknowledged)
    if (!parts.has(tx)) failures.push(`${name}: acknowledged transaction ${tx} is missing`);
  return failures;
}

async function presentUnknown(node: DataNode, writer: Writer): Promise<number> {
  if (writer.unknown.size === 0) return 0;
  const rows = await node.run(writer.database, 'SELECT DISTINCT tx FROM parts');
  return rows.filter(([tx]) => writer.unknown.has(Number(tx))).length;
}

function digest(seed: number, database: string, tx: number, part: number): string {
  return createHash('sha256').update(`${seed}/${database}/${tx}/${part}`).digest('hex').slice(0, 32);
}
