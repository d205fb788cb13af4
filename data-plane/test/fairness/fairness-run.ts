/**
 * One noisy database and its neighbours on a real data node: what point selects of the neighbours wait for.
 *
 * The noisy database sends full table scans and large writes without pause. A near neighbour lives in the same engine
 * process: it may have to wait for the statement that is running, because an engine cannot be interrupted, and for a turn
 * of the scheduler. A far neighbour lives in another engine process and shares only the machine and the I/O process.
 */
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { DataNode, type TestDatabase } from '../support/data-node.js';

export interface FairnessOptions {
  /** How long each of the two phases is measured. */
  readonly phaseMs: number;
  /** Connections of the noisy database that scan, and that write. */
  readonly scanners: number;
  readonly writers: number;
  /** Rows that a scan passes over; decides how long it takes. */
  readonly scannedRows: number;
  /** Pause of a neighbour between two selects, so that the measuring client does not load the machine itself. */
  readonly pauseMs: number;
  readonly onProgress?: (line: string) => void;
}

export interface Latency {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface FairnessResult {
  readonly scanAloneMs: Latency;
  readonly writeAloneMs: Latency;
  readonly near: { readonly quiet: Latency; readonly noisy: Latency };
  readonly far: { readonly quiet: Latency; readonly noisy: Latency };
  /** How long the one thread of the I/O process kept everybody waiting; every request passes it. */
  readonly loop: { readonly quiet: LoopDelay; readonly noisy: LoopDelay };
  /** Statements of the noisy database answered while it was noisy. */
  readonly noisyStatements: number;
  readonly verdicts: readonly Verdict[];
}

export interface LoopDelay {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface Verdict {
  readonly what: string;
  readonly measuredMs: number;
  readonly boundMs: number;
  readonly met: boolean;
}

/** The scheduler's slice (engine/process): what runs on after a statement before others are looked at. */
const sliceMs = 5;
const pointSelect = 'SELECT v FROM t WHERE n = 500';

/** Runs inside the I/O process, and tells how late its timers were since it was asked before. */
const loopWatch = `
  import { monitorEventLoopDelay } from 'node:perf_hooks';
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  process.on('message', ({ type }) => {
    if (type !== 'loop-delay') return;
    const [p50Ms, p99Ms, maxMs] = [delay.percentile(50), delay.percentile(99), delay.max].map((ns) => ns / 1e6);
    process.send({ type, p50Ms, p99Ms, maxMs });
    delay.reset();
  });
`;

export async function fairnessRun(options: FairnessOptions): Promise<FairnessResult> {
  const { phaseMs, pauseMs, onProgress = () => undefined } = options;
  const node = await DataNode.start(
    { TURSO_BYOC_ENGINE_PROCESSES: '2', TURSO_BYOC_STATEMENT_DEADLINE_MS: '60000' },
    { nodeArguments: ['--import', `data:text/javascript,${encodeURIComponent(loopWatch)}`] },
  );
  try {
    const { noisy, near, far } = await createDatabases(node, options.scannedRows);
    const scan = (): Promise<unknown> => node.run(noisy, 'SELECT sum(v), count(*) FROM big WHERE v % 7 = 3');
    const write = (): Promise<unknown> =>
      node.run(
        noisy,
        'DELETE FROM sink',
        `INSERT INTO sink SELECT v FROM big LIMIT ${Math.ceil(options.scannedRows / 20)}`,
      );
    const select = (database: TestDatabase) => (): Promise<unknown> => node.run(database, pointSelect);

    onProgress('the noisy statements alone');
    const scanAlone = await times(10, scan);
    const writeAlone = await times(10, write);
    const measureNeighbours = async (): Promise<[number[], number[]]> =>
      Promise.all([near, far].map(async (database) => during(phaseMs, select(database), pauseMs))) as Promise<
        [number[], number[]]
      >;
    onProgress('neighbours, quiet');
    await times(50, select(near));
    await times(50, select(far));
    await loopDelay(node);
    const [nearQuiet, farQuiet] = await measureNeighbours();
    const loopQuiet = await loopDelay(node);
    onProgress('neighbours beside the noisy database');
    const noise = startNoise([...repeated(options.scanners, scan), ...repeated(options.writers, write)]);
    const [nearNoisy, farNoisy] = await measureNeighbours();
    const loopNoisy = await loopDelay(node);
    const noisyStatements = await noise.stop();

    const result = {
      scanAloneMs: latency(scanAlone),
      writeAloneMs: latency(writeAlone),
      near: { quiet: latency(nearQuiet), noisy: latency(nearNoisy) },
      far: { quiet: latency(farQuiet), noisy: latency(farNoisy) },
      loop: { quiet: loopQuiet, noisy: loopNoisy },
      noisyStatements,
    };
    return { ...result, verdicts: verdicts(result) };
  } finally {
    await node.dispose();
  }
}

/** Since the last call. */
async function loopDelay(node: DataNode): Promise<LoopDelay> {
  const told = once(node.messages, 'loop-delay') as Promise<[LoopDelay]>;
  node.tell({ type: 'loop-delay' });
  const [{ p50Ms, p99Ms, maxMs }] = await told;
  return { p50Ms, p99Ms, maxMs };
}

function verdicts({ scanAloneMs, writeAloneMs, near, far }: Omit<FairnessResult, 'verdicts'>): Verdict[] {
  const statementMs = Math.max(scanAloneMs.maxMs, writeAloneMs.maxMs);
  const verdict = (what: string, measuredMs: number, boundMs: number): Verdict => ({
    what,
    measuredMs,
    boundMs,
    met: measuredMs <= boundMs,
  });
  return [
    verdict(
      'near neighbour, p99: one statement of the noisy database, a slice, and its own quiet p99',
      near.noisy.p99Ms,
      statementMs + sliceMs + near.quiet.p99Ms,
    ),
    verdict('far neighbour, p99: three times its quiet p99', far.noisy.p99Ms, 3 * far.quiet.p99Ms),
  ];
}

/** Three databases: the second in the engine process of the first, the third in another one. */
async function createDatabases(
  node: DataNode,
  rows: number,
): Promise<{ noisy: TestDatabase; near: TestDatabase; far: TestDatabase }> {
  const series = (count: number): string =>
    `WITH RECURSIVE s(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM s LIMIT ${count})`;
  const noisy = await node.createDatabase('noisy');
  await node.run(
    noisy,
    'CREATE TABLE big (v)',
    'CREATE TABLE sink (v)',
    `${series(rows)} INSERT INTO big SELECT x FROM s`,
  );
  const noisyProcess = await engineDirectoryOf(node, noisy);
  let near: TestDatabase | undefined;
  let far: TestDatabase | undefined;
  for (let index = 0; !near || !far; index++) {
    const database = await node.createDatabase(`neighbour-${index}`);
    await node.run(
      database,
      'CREATE TABLE t (n INTEGER PRIMARY KEY, v)',
      `${series(1_000)} INSERT INTO t SELECT x, x FROM s`,
    );
    if ((await engineDirectoryOf(node, database)) === noisyProcess) near ??= database;
    else far ??= database;
  }
  return { noisy, near, far };
}

/** The directory of the engine process that a database is open in; one process, one directory. */
async function engineDirectoryOf(node: DataNode, database: TestDatabase): Promise<string> {
  for (const name of await readdir(node.cacheDirectory)) {
    const inside = await readdir(`${node.cacheDirectory}/${name}`);
    if (inside.some((entry) => entry.startsWith(database.id))) return name;
  }
  throw new Error(`database ${database.name} is not open`);
}

function repeated<T>(count: number, value: T): T[] {
  return Array.from({ length: count }, () => value);
}

/** Runs each statement in a loop of its own until stopped; `stop` gives how often one was answered. */
function startNoise(statements: readonly (() => Promise<unknown>)[]): { stop: () => Promise<number> } {
  const state = { running: true, answered: 0 };
  const loops = statements.map(async (statement) => {
    while (state.running) {
      await statement();
      state.answered += 1;
    }
  });
  return {
    stop: async () => {
      state.running = false;
      await Promise.all(loops);
      return state.answered;
    },
  };
}

async function during(ms: number, run: () => Promise<unknown>, pauseMs: number): Promise<number[]> {
  const endMs = performance.now() + ms;
  const measured: number[] = [];
  while (performance.now() < endMs) {
    measured.push(...(await times(1, run)));
    await delay(pauseMs);
  }
  return measured;
}

/** Milliseconds that each of `count` runs took, one after the other. */
async function times(count: number, run: () => Promise<unknown>): Promise<number[]> {
  const measured: number[] = [];
  for (let index = 0; index < count; index++) {
    const startedMs = performance.now();
    await run();
    measured.push(performance.now() - startedMs);
  }
  return measured;
}

function latency(measured: readonly number[]): Latency {
  const sorted = [...measured].sort((one, other) => one - other);
  const at = (fraction: number): number => sorted[Math.max(0, Math.ceil(sorted.length * fraction) - 1)] ?? Number.NaN;
  return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}
