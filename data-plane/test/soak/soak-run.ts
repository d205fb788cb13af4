/**
 * Everything at once for a long time, on two real data nodes over one store: databases of both engines are created, written
 * in transactions, read through either node, branched, synced to a device, collected, folded and deleted, while one of the
 * nodes is killed and started again. The other one is never ended, and is looked at: memory, descriptors, disk and latency
 * must not grow.
 */
import { DataNode, sharedLease, StatementError } from '../support/data-node.js';
import { sampleNode, type NodeSample } from './node-samples.js';
import { SoakDevice } from './soak-device.js';
import { allRows, createTables, SoakedDatabase, tables } from './soaked-database.js';
import { trend, type Trend } from './trend.js';

export interface SoakOptions {
  readonly durationMs: number;
  /** Databases that are in use at one time; every other one is of the Turso engine. */
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
  /** Databases of which every row was compared with what had been written. */
  compared: number;
  pulls: number;
  pushes: number;
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
  readonly trends: Readonly<Record<keyof Sample, Trend>>;
  readonly growing: readonly string[];
}

interface Sample extends NodeSample {
  /** The median of the transactions since the sample before. */
  readonly latencyMs: number;
}

const transactionsOfLife = 60;
const transactionsBetweenSyncs = 20;
const rowsOfTransaction = 5;
/** The first part of the samples is of a system that still fills its caches. */
const warmUpPart = 0.25;
/** A deleted database leaves a tombstone, its name and its certificate; all of them together no more than this. */
const bytesLeftByDatabase = 8 * 1024;
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
    compared: 0,
    pulls: 0,
    pushes: 0,
    collected: 0,
    kills: 0,
    repeated: 0,
  };
  readonly #wrong: string[] = [];
  readonly #samples: Sample[] = [];
  readonly #live = new Set<SoakedDatabase>();
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
      ...Array.from({ length: slots }, async (_, slot) => this.#liveAndDie(slot % 2 === 0 ? 'libsql' : 'tursodb')),
      this.#killNowAndThen(),
      this.#sample(),
    ]);
    await this.#compareAll();
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

  /** Databases in one place, one after the other, each with a branch and a device. */
  async #liveAndDie(engine: SoakedDatabase['engine']): Promise<void> {
    while (!this.#isOver()) {
      const soaked = await this.#create(engine);
      const device = await this.#insist(async () => SoakDevice.connect(soaked, this.#somewhere(soaked).url));
      for (let done = 1; done <= transactionsOfLife && !this.#isOver(); done++) {
        await this.#write(soaked);
        if (done % 3 === 0) await this.#read(soaked);
        if (done % transactionsBetweenSyncs === 0) await this.#sync(soaked, device);
        if (done === transactionsOfLife / 2) await this.#branch(soaked);
      }
      await device.close();
      if (this.#isOver()) break;
      await this.#compare(soaked);
      await this.#delete(soaked);
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
      const { kills, transactions, created, pulls, pushes } = this.#counts;
      onProgress(
        `killed ${kills} times; ${transactions} transactions, ${created} databases, ${pulls} pulls, ${pushes} pushes; ` +
          `memory ${((this.#samples.at(-1)?.memoryBytes ?? 0) / mebibyte).toFixed(0)} MiB, wrong ${this.#wrong.length}`,
      );
    }
  }

  async #sample(): Promise<void> {
    while (!this.#isOver()) {
      await delay(this.options.sampleEveryMs);
      const latencies = this.#latencies.splice(0).sort((one, other) => one - other);
      this.#samples.push({ ...sampleNode(this.steady), latencyMs: latencies[Math.floor(latencies.length / 2)] ?? 0 });
    }
  }

  async #create(engine: SoakedDatabase['engine'], parent?: SoakedDatabase): Promise<SoakedDatabase> {
    const name = `soak${this.#number++}`;
    const more = parent ? { branch: { parent: parent.database.id } } : {};
    const database = await this.#insist(async () => this.steady.createDatabase(name, engine, more));
    const soaked = new SoakedDatabase(database, engine, parent);
    this.#counts.created += 1;
    this.#live.add(soaked);
    await this.#insist(async () => {
      const node = this.#node();
      await node.run(node.here(database), ...createTables);
    });
    return soaked;
  }

  async #branch(parent: SoakedDatabase): Promise<void> {
    const branch = await this.#create(parent.engine, parent);
    this.#counts.branched += 1;
    await this.#compare(branch);
    await this.#write(branch);
    await this.#read(branch);
    await this.#delete(branch);
    await this.#collect(parent);
  }

  /** A transaction of several rows; sent again until it is answered, and the same however often it is done. */
  async #write(soaked: SoakedDatabase): Promise<void> {
    const first = soaked.rows.served + 1;
    const rows = Array.from(
      { length: rowsOfTransaction },
      (_, at) => `(${first + at}, '${soaked.content('served', first + at)}')`,
    );
    const startedMs = performance.now();
    await this.#insist(async () =>
      this.steady.run(
        this.steady.here(soaked.database),
        'BEGIN IMMEDIATE',
        `INSERT OR REPLACE INTO served VALUES ${rows.join(',')}`,
        'COMMIT',
      ),
    );
    this.#latencies.push(performance.now() - startedMs);
    soaked.rows.served += rowsOfTransaction;
    this.#counts.transactions += 1;
  }

  async #read(soaked: SoakedDatabase): Promise<void> {
    const [row] = await this.#insist(async () =>
      this.#anywhere(soaked, 'SELECT count(*), coalesce(sum(n), 0), coalesce(max(n), 0) FROM served'),
    );
    this.#counts.reads += 1;
    const { served } = soaked.rows;
    const expected = [served, (served * (served + 1)) / 2, served].join();
    if (row?.join() !== expected) this.#isWrong(soaked, `${String(row)} instead of ${expected}`);
  }

  /** The device sends a row of its own and takes what there is; both sides of it must be as they were written then. */
  async #sync(soaked: SoakedDatabase, device: SoakDevice): Promise<void> {
    await device.write();
    await this.#insist(async () => device.push());
    this.#counts.pushes += 1;
    await this.#insist(async () => device.pull());
    this.#counts.pulls += 1;
    for (const fault of await device.faults()) this.#isWrong(soaked, fault);
  }

  /** Every row with what was written. */
  async #compare(soaked: SoakedDatabase): Promise<void> {
    for (const table of tables) {
      const fault = soaked.faultOf(table, await this.#insist(async () => this.#anywhere(soaked, allRows(table))));
      if (fault !== undefined) this.#isWrong(soaked, `${table}: ${fault}`);
    }
    this.#counts.compared += 1;
  }

  #isWrong({ database, engine }: SoakedDatabase, what: string): void {
    this.#wrong.push(`${database.name} (${engine}): ${what}`);
  }

  async #delete(soaked: SoakedDatabase): Promise<void> {
    await this.#admin('DELETE', `/admin/v1/databases/${soaked.database.id}`);
    this.#live.delete(soaked);
    this.#counts.deleted += 1;
    await this.#collect(soaked);
  }

  async #collect({ database }: SoakedDatabase): Promise<void> {
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

  /** Either node. */
  #node(): DataNode {
    return Math.random() < 0.5 && this.mortal.isRunning ? this.mortal : this.steady;
  }

  #somewhere({ database }: SoakedDatabase): SoakedDatabase['database'] {
    return this.#node().here(database);
  }

  async #anywhere(soaked: SoakedDatabase, sql: string): Promise<any[][]> {
    return this.steady.run(this.#somewhere(soaked), sql);
  }

  /** Again, until it is done, for as long as a takeover may take. */
  async #insist<T>(work: () => Promise<T>): Promise<T> {
    const untilMs = Date.now() + 60_000;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (error instanceof StatementError && !repeatable.has(error.code)) throw error;
        if (Date.now() > untilMs) throw error;
        this.#counts.repeated += 1;
        await delay(100);
      }
    }
  }

  /** Everything that lives, read from the store alone by nodes that have nothing. */
  async #compareAll(): Promise<void> {
    await this.mortal.end('SIGKILL');
    await this.steady.end('SIGKILL');
    await this.steady.deleteCache();
    await this.steady.restart();
    for (const soaked of this.#live) await this.#compare(soaked);
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

const delay = async (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
