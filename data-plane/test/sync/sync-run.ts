/** A device that was away for very many changes, on both sides: what it takes to bring them together, and that none is lost. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type Database } from '@tursodatabase/sync';
import { DataNode, type TestDatabase } from '../support/data-node.js';

export interface SyncRunSettings {
  /** Changes on the server while the device is away, each a transaction of its own. */
  readonly serverChanges: number;
  /** Changes on the device meanwhile. */
  readonly deviceChanges: number;
  /** Changes of one push. */
  readonly perPush: number;
  readonly onProgress?: (line: string) => void;
}

export interface SyncRunResult {
  readonly pushMs: number;
  readonly pullMs: number;
  readonly pulledBytes: number;
  readonly databaseBytes: number;
  /** Rows that are missing, or are others than they must be, on the server and on the device. */
  readonly wrongOnServer: number;
  readonly wrongOnDevice: number;
}

const rows = 20_000;
const parallel = 16;
const perRequest = 100;

export async function syncRun({
  serverChanges,
  deviceChanges,
  perPush,
  onProgress = () => undefined,
}: SyncRunSettings): Promise<SyncRunResult> {
  const directory = await mkdtemp(join(tmpdir(), 'turso-byoc-device-'));
  const node = await DataNode.start({ TURSO_BYOC_COMMIT_WINDOW_MS: '1' });
  try {
    const database = await node.createDatabase('devices');
    await node.run(
      database,
      'CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER)',
      'CREATE TABLE device (id INTEGER PRIMARY KEY, v TEXT)',
      `INSERT INTO t SELECT value, 0 FROM generate_series(1, ${rows})`,
    );
    const device = await connect({
      path: join(directory, 'device.db'),
      url: database.url.slice(0, -1),
      authToken: database.token,
      pushOperationsThreshold: perPush,
    });
    const values = await changeOnServer(node, database, serverChanges, onProgress);
    const insert = await device.prepare('INSERT INTO device VALUES (?, ?)');
    for (let id = 1; id <= deviceChanges; id++) await insert.run(id, `change ${id}`);
    onProgress(`${deviceChanges} changes on the device`);

    const begunAt = performance.now();
    await device.push();
    const pushMs = performance.now() - begunAt;
    onProgress(`pushed in ${Math.round(pushMs)} ms`);
    const before = (await device.stats()).networkReceivedBytes;
    await device.pull();
    const pullMs = performance.now() - begunAt - pushMs;
    const pulledBytes = (await device.stats()).networkReceivedBytes - before;
    onProgress(`pulled ${pulledBytes} bytes in ${Math.round(pullMs)} ms`);

    const onServer = async (sql: string): Promise<unknown[][]> => node.run(database, sql);
    const onDevice = async (sql: string): Promise<unknown[][]> => rowsOf(device, sql);
    const wrong = async (ask: (sql: string) => Promise<unknown[][]>): Promise<number> => {
      const changed = await ask('SELECT v FROM t ORDER BY id');
      const own = await ask("SELECT count(*) FROM device WHERE v = 'change ' || id");
      return changed.filter(([v], at) => Number(v) !== values[at]).length + deviceChanges - Number(own[0]?.[0]);
    };
    const [wrongOnServer, wrongOnDevice] = [await wrong(onServer), await wrong(onDevice)];
    const pages = await onServer('SELECT page_count FROM pragma_page_count');
    await device.close();
    return { pushMs, pullMs, pulledBytes, databaseBytes: Number(pages[0]?.[0]) * 4096, wrongOnServer, wrongOnDevice };
  } finally {
    await node.dispose();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Sets rows one after the other, each in a transaction; returns what every row holds then. */
async function changeOnServer(
  node: DataNode,
  database: TestDatabase,
  changes: number,
  onProgress: (line: string) => void,
): Promise<number[]> {
  const values = new Array<number>(rows).fill(0);
  let next = 1;
  const writers = Array.from({ length: parallel }, async (_, writer) => {
    // Each writer has rows of its own, so that the order of the writers does not matter.
    for (let turn = 0; next <= changes; turn++) {
      const first = next;
      const end = Math.min(first + perRequest, changes + 1);
      next = end;
      const statements = Array.from({ length: end - first }, (_, at) => {
        const row = (writer + parallel * (turn * perRequest + at)) % rows;
        values[row] = first + at;
        return `UPDATE t SET v = ${first + at} WHERE id = ${row + 1}`;
      });
      await node.run(database, ...statements);
      if (Math.floor(first / 10_000) !== Math.floor(end / 10_000)) onProgress(`${end - 1} changes on the server`);
    }
  });
  await Promise.all(writers);
  return values;
}

async function rowsOf(device: Database, sql: string): Promise<unknown[][]> {
  return (await device.prepare(sql)).raw().all() as Promise<unknown[][]>;
}
