/**
 * Everything at once for a long time, on two real data nodes over one store: databases are created, written in transactions,
 * read through either node, branched, collected, folded and deleted, while one of the nodes is killed and started again. The
 * other one is never ended, and is looked at: memory, descriptors, disk and latency must not grow.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isGone, descendants } from '@turso-byoc/data-plane/bench/processes/process-tree.js';
import { memoryUse } from '@turso-byoc/data-plane/bench/processes/memory.js';
import { isSystemError } from '@turso-byoc/data-plane/object-store/file-layer.js';
import { DataNode, sharedLease, StatementError, type TestDatabase } from '../support/data-node.js';
import { trend, type Trend } from './trend.js';

export interface SoakOptions {
  readonly durationMs: number;
  /** Databases that are in use at one time. */
  readonly slots: number;
  readonly sampleEveryMs: number;
  readonly killEveryMs: number;
  readonly onProgress: (line: string) => void;
}

export interface SoakCounts {
  created: number;
  deleted: number;
  branched: number;
  transactions: number;
  reads: number;
  collected: number;
  kills: number;
  /** Requests that were sent again: the node was gone, or said that the database is moving. */
  repeated: number;
}

export interface SoakResult {
  readonly counts: SoakCounts;
  /** What was read and was not what had been written: must be none. */
  readonly wrong: readonly string[];
  /** Of the node that was never ended. */
  readonly trends: Readonly<Record<'memoryBytes' | 'descriptors' | 'diskBytes' | 'latencyMs', Trend>>;
  readonly growing: readonly string[];
}

interface Sample {
  readonly memoryBytes: number;
  readonly descriptors: number;
  readonly diskBytes: number;
  readonly latencyMs: number;
}

/** A database and what must be in it. */
interface Filled {
  readonly database: TestDatabase;
  rows: number;
}

const transactionsOfLife = 60;
const rowsOfTransaction = 5;
/** The first part of the samples is of a system that still fills its caches. */
const warmUpPart = 0.25;
/** A deleted database leaves a tombstone, a name and a certificate of neither; all of them together no more than this. */
const bytesLeftByDatabase = 64 * 1024;
const mebibyte = 2 ** 20;

export async function soakRun(options: SoakOptions): Promise<SoakResult> {
  const environment = {
    ...sharedLease,
    TURSO_BYOC_ENGINE_PROCESSES: '1',
    TURSO_BYOC_STANDBY_PROCESS: '0',
    TURSO_BYOC_IDLE_CLOSE_MS: '2000',
    TURSO_BYOC_UNDELETE_DAYS: '0',
    TURSO_BYOC_LOG_LEVEL: 'warn',
  };
  const steady = await DataNode.start(environment);
  try {
    const mortal = await steady.startBeside();
    try {
      return await new Soak(steady, mortal, options).run();
    } finally {
      await mortal.end('SIGKILL');
    }
  } finally {
    await steady.dispose();
  }
}

class Soak {
  readonly #counts: SoakCounts = {
    created: 0,
    deleted: 0,
    branched: 0,
    transactions: 0,
    reads: 0,
    collected: 0,
    kills: 0,
    repeated: 0,
  };
  readonly #wrong: string[] = [];
  readonly #samples: Sample[] = [];
  readonly #live = new Set<Filled>();
  #latencies: number[] = [];
  #endsAtMs = 0;
  #number = 0;

  constructor(
    private readonly steady: DataNode,
    private readonly mortal: DataNode,
    private readonly options: SoakOptions,
  ) {}

  async run(): Promise<SoakResult> {
    const { durationMs, slots } = this.options;
    this.#endsAtMs = Date.now() + durationMs;
    await Promise.all([
      ...Array.from({ length: slots }, async () => this.#liveAndDie()),
      this.#killNowAndThen(),
      this.#sample(),
    ]);
    await this.#checkAll();
    const kept = this.#samples.slice(Math.floor(this.#samples.length * warmUpPart));
    const of = (key: keyof Sample): Trend => trend(kept.map((sample) => sample[key]));
    const trends = {
      memoryBytes: of('memoryBytes'),
      descriptors: of('descriptors'),
      diskBytes: of('diskBytes'),
      latencyMs: of('latencyMs'),
    };
    return { counts: this.#counts, wrong: this.#wrong, trends, growing: growing(trends, this.#counts) };
  }

  #isOver(): boolean {
    return Date.now() >= this.#endsAtMs;
  }

  /** Databases in one place, one after the other, each with a branch. */
  async #liveAndDie(): Promise<void> {
    while (!this.#isOver()) {
      const filled = await this.#create({});
      for (let done = 0; done < transactionsOfLife && !this.#isOver(); done++) {
        await this.#write(filled);
        if (done % 3 === 0) await this.#read(filled);
        if (done === transactionsOfLife / 2) {
          const branch = await this.#create({ branch: { parent: filled.database.id } }, filled.rows);
          this.#counts.branched += 1;
          await this.#read(branch);
          await this.#write(branch);
          await this.#read(branch);
          await this.#delete(branch);
          await this.#collect(filled);
        }
      }
      if (!this.#isOver()) await this.#delete(filled);
    }
  }

  async #killNowAndThen(): Promise<void> {
    const { killEveryMs, onProgress } = this.options;
    for (let next = Date.now() + killEveryMs; next < this.#endsAtMs; next += killEveryMs) {
      await delay(Math.max(0, next - Date.now()));
      await this.mortal.end('SIGKILL');
      this.#counts.kills += 1;
      await delay(1_000);
      await this.mortal.restart();
      onProgress(
        `killed ${this.#counts.kills} times; ${this.#counts.transactions} transactions, ${this.#counts.created} databases`,
      );
    }
  }

  async #sample(): Promise<void> {
    while (!this.#isOver()) {
      await delay(this.options.sampleEveryMs);
      const pids = [this.steady.pid, ...descendants(this.steady.pid)];
      const latencies = this.#latencies.splice(0).sort((one, other) => one - other);
      this.#samples.push({
        memoryBytes: memoryUse(pids).privateBytes,
        descriptors: pids.reduce((sum, pid) => sum + descriptorsOf(pid), 0),
        diskBytes: bytesBelow(this.steady.storeDirectory) + bytesBelow(this.steady.cacheDirectory),
        latencyMs: latencies[Math.floor(latencies.length / 2)] ?? 0,
      });
    }
  }

  async #create(more: Record<string, unknown>, rows = 0): Promise<Filled> {
    const name = `soak${this.#number++}`;
    const database = await this.#insist(
      async () => this.steady.createDatabase(name, 'libsql', more),
      'DATABASE_EXISTS',
    );
    const filled = { database, rows };
    this.#counts.created += 1;
    this.#live.add(filled);
    await this.#insist(async () =>
      this.#anywhere(database, 'CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, filler TEXT)'),
    );
    return filled;
  }

  /** A transaction of several rows; sent again until it is answered, and the same however often it is done. */
  async #write(filled: Filled): Promise<void> {
    const first = filled.rows + 1;
    const rows = Array.from({ length: rowsOfTransaction }, (_, at) => `(${first + at}, hex(randomblob(400)))`);
    const startedMs = performance.now();
    await this.#insist(async () =>
      this.steady.run(
        this.steady.here(filled.database),
        'BEGIN IMMEDIATE',
        `INSERT OR REPLACE INTO t VALUES ${rows.join(',')}`,
        'COMMIT',
      ),
    );
    this.#latencies.push(performance.now() - startedMs);
    filled.rows += rowsOfTransaction;
    this.#counts.transactions += 1;
  }

  async #read(filled: Filled): Promise<void> {
    const [row] = await this.#insist(async () =>
      this.#anywhere(filled.database, 'SELECT count(*), coalesce(sum(n), 0), coalesce(max(n), 0) FROM t'),
    );
    this.#counts.reads += 1;
    const expected = [filled.rows, (filled.rows * (filled.rows + 1)) / 2, filled.rows].join();
    if (row?.join() !== expected) this.#wrong.push(`${filled.database.name}: ${String(row)} instead of ${expected}`);
  }

  async #delete(filled: Filled): Promise<void> {
    await this.#admin('DELETE', `/admin/v1/databases/${filled.database.id}`);
    this.#live.delete(filled);
    this.#counts.deleted += 1;
    await this.#collect(filled);
  }

  async #collect({ database }: Filled): Promise<void> {
    await this.#admin('POST', `/admin/v1/databases/${database.id}/collect`);
    this.#counts.collected += 1;
  }

  async #admin(method: string, path: string): Promise<void> {
    await this.#insist(async () => {
      const answer = await this.steady.admin(method, path);
      if (answer.ok) return;
      const { code = '', message = '' } = (await answer.json()) as { code?: string; message?: string };
      throw new StatementError(code, `${method} ${path}: ${message}`);
    });
  }

  /** Through either node. */
  async #anywhere(database: TestDatabase, sql: string): Promise<any[][]> {
    const node = Math.random() < 0.5 && this.mortal.isRunning ? this.mortal : this.steady;
    return node.run(node.here(database), sql);
  }

  /** Again, until it is done, for as long as a takeover may take; `isDone`: a code that says that it was. */
  async #insist<T>(work: () => Promise<T>, isDone?: string): Promise<T> {
    const untilMs = Date.now() + 60_000;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (error instanceof StatementError && error.code === isDone) throw error;
        if (error instanceof StatementError && !repeatable.has(error.code)) throw error;
        if (Date.now() > untilMs) throw error;
        this.#counts.repeated += 1;
        await delay(100);
      }
    }
  }

  /** Everything that lives, read from the store alone by nodes that have nothing. */
  async #checkAll(): Promise<void> {
    await this.mortal.end('SIGKILL');
    await this.steady.end('SIGKILL');
    await this.steady.deleteCache();
    await this.steady.restart();
    for (const filled of this.#live) await this.#read(filled);
  }
}

/** Codes of the catalogue that say that the request may be sent again; what was done is not done twice here. */
const repeatable = new Set([
  'DATABASE_MOVED',
  'ENGINE_RESTARTED',
  'NOT_READY',
  'OUTCOME_UNKNOWN',
  'OVERLOADED',
  'SHUTTING_DOWN',
  'STATEMENT_TIMEOUT',
  'STORE_UNAVAILABLE',
  'TRANSACTION_BUSY',
  'TRANSACTION_TIMEOUT',
]);

/** What grows beyond what noise and the databases that there were explain. */
export function growing(trends: SoakResult['trends'], { created }: Pick<SoakCounts, 'created'>): string[] {
  const rises = ({ growth, risingPart }: Trend, allowed: number): boolean => growth > allowed && risingPart > 0.7;
  const { memoryBytes, descriptors, diskBytes, latencyMs } = trends;
  return [
    ...(rises(memoryBytes, Math.max(48 * mebibyte, memoryBytes.median * 0.2)) ? ['memory'] : []),
    ...(rises(descriptors, Math.max(30, descriptors.median * 0.2)) ? ['descriptors'] : []),
    ...(rises(diskBytes, 48 * mebibyte + created * bytesLeftByDatabase) ? ['disk'] : []),
    ...(rises(latencyMs, Math.max(50, latencyMs.median)) ? ['latency'] : []),
  ];
}

function descriptorsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch (error) {
    if (isGone(error)) return 0;
    throw error;
  }
}

function bytesBelow(directory: string): number {
  let bytes = 0;
  for (const entry of readdirOrNone(directory)) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) bytes += bytesBelow(path);
    else if (entry.isFile()) bytes += sizeOrZero(path);
  }
  return bytes;
}

// Files and directories come and go while they are counted.
function readdirOrNone(directory: string): ReturnType<typeof readEntries> {
  try {
    return readEntries(directory);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

const readEntries = (directory: string) => readdirSync(directory, { withFileTypes: true });

function sizeOrZero(path: string): number {
  try {
    return statSync(path).size;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return 0;
    throw error;
  }
}

const delay = async (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
