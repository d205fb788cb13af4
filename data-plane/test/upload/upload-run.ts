/** One large upload, compared with what was uploaded. */
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { DataNode, type TestDatabase } from '../support/data-node.js';

export interface UploadRunOptions {
  readonly megabytes: number;
  readonly kills: number;
  readonly onProgress?: (line: string) => void;
}

export interface UploadRunResult {
  readonly fileBytes: number;
  readonly chunks: number;
  readonly kills: number;
  readonly chunksMs: number;
  readonly finalizeMs: number;
  readonly exportMs: number;
  /** Most resident memory of the I/O process while chunks were sent, the file was looked through, and the export was read. */
  readonly mostMemoryBytes: number;
  readonly rows: Readonly<Record<string, number>>;
  /** What is not as it was in the file. */
  readonly differences: readonly string[];
}

const tables = ['items', 'sales'] as const;
const rowBytes = 3_500;
/** Rows of one read: below the longest answer that a node gives. */
const rowsPerRead = 1_000;

export async function uploadRun({ megabytes, kills, onProgress }: UploadRunOptions): Promise<UploadRunResult> {
  const say = onProgress ?? ((): void => undefined);
  const directory = await mkdtemp(join(tmpdir(), 'turso-byoc-upload-'));
  const node = await DataNode.start();
  let mostMemoryBytes = 0;
  const watch = setInterval(() => {
    if (node.isRunning) mostMemoryBytes = Math.max(mostMemoryBytes, residentBytes(node.pid));
  }, 100);
  try {
    const path = join(directory, 'large.db');
    const local = makeFile(path, megabytes);
    const { size: fileBytes } = await stat(path);
    say(`the file has ${fileBytes} bytes`);
    const database = await node.createDatabase('large', 'libsql', { awaitsFile: true });
    const begun = (await put(database, 'v2/upload/start', JSON.stringify({ db_size_bytes: fileBytes }))) as {
      upload_id: string;
      chunk_size: number;
    };
    const chunks = Math.ceil(fileBytes / begun.chunk_size);
    const killAt = new Set(
      Array.from({ length: kills }, (_, index) => Math.floor(((index + 1) * chunks) / (kills + 1))),
    );
    const startedMs = performance.now();
    const file = await open(path);
    for (let chunk = 0; chunk < chunks; chunk++) {
      const bytes = Buffer.alloc(Math.min(begun.chunk_size, fileBytes - chunk * begun.chunk_size));
      await file.read(bytes, 0, bytes.length, chunk * begun.chunk_size);
      const send = async (): Promise<unknown> => put(database, `v2/upload/${begun.upload_id}/chunk/${chunk}`, bytes);
      if (killAt.has(chunk)) {
        const sending = send().catch(() => undefined);
        await node.end('SIGKILL');
        await sending;
        await node.restart();
        say(`killed at chunk ${chunk} of ${chunks}`);
      }
      await send();
    }
    await file.close();
    const chunksMs = performance.now() - startedMs;
    say(`${chunks} chunks in ${chunksMs.toFixed(0)} ms`);
    const finalizing = performance.now();
    await put(database, `v2/upload/${begun.upload_id}/finalize`, '');
    const finalizeMs = performance.now() - finalizing;
    say(`finalized in ${finalizeMs.toFixed(0)} ms`);

    const differences: string[] = [];
    const exporting = performance.now();
    const [exported, uploaded] = [await digestOfExport(database), await digestOf(createReadStream(path))];
    const exportMs = performance.now() - exporting;
    if (exported !== uploaded) differences.push('the export is not the file');
    say(`exported and compared in ${exportMs.toFixed(0)} ms`);
    const rows: Record<string, number> = {};
    for (const table of tables) {
      const here = localRows(local, table);
      const there = await digestOfRows(async (after) => node.run(database, rowsAfter(table, after)));
      rows[table] = there.count;
      const { digest, count } = await digestOfRows(here);
      if (digest !== there.digest || count !== there.count) differences.push(`table ${table} is not as in the file`);
      say(`${table}: ${there.count} rows, ${digest === there.digest ? 'equal' : 'different'}`);
    }
    local.close();
    return { fileBytes, chunks, kills, chunksMs, finalizeMs, exportMs, mostMemoryBytes, rows, differences };
  } finally {
    clearInterval(watch);
    await node.dispose();
    await rm(directory, { recursive: true, force: true });
  }
}

function makeFile(path: string, megabytes: number): Database.Database {
  const database = new Database(path);
  database.exec('PRAGMA journal_mode = wal; PRAGMA synchronous = off');
  database.exec(
    'CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, note BLOB); CREATE INDEX by_name ON items (name)',
  );
  database.exec('CREATE TABLE sales (id INTEGER PRIMARY KEY, item INTEGER REFERENCES items, at TEXT)');
  const rows = Math.floor((megabytes * 2 ** 20) / (rowBytes + 600));
  database.exec(`
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
    INSERT INTO items (id, name, note) SELECT i, 'item ' || i, randomblob(${rowBytes}) FROM n;
    INSERT INTO sales (item, at) SELECT id, id * 7 FROM items WHERE id % 10 = 0;
    PRAGMA wal_checkpoint(TRUNCATE);`);
  return database;
}

function rowsAfter(table: string, after: number): string {
  const columns = table === 'items' ? 'id, name, hex(note)' : 'id, item, at';
  return `SELECT ${columns} FROM ${table} WHERE id > ${after} ORDER BY id LIMIT ${rowsPerRead}`;
}

function localRows(database: Database.Database, table: string): (after: number) => Promise<unknown[][]> {
  return async (after) =>
    (database.prepare(rowsAfter(table, after)).raw().all() as unknown[][]).map((row) => row.map(String));
}

async function digestOfRows(
  read: (after: number) => Promise<unknown[][]>,
): Promise<{ readonly digest: string; readonly count: number }> {
  const hash = createHash('sha256');
  let count = 0;
  for (let after = 0; ;) {
    const rows = await read(after);
    for (const row of rows) hash.update(JSON.stringify(row));
    count += rows.length;
    if (rows.length < rowsPerRead) return { digest: hash.digest('hex'), count };
    after = Number(rows.at(-1)?.[0]);
  }
}

async function digestOfExport(database: TestDatabase): Promise<string> {
  const headers = { authorization: `Bearer ${database.token}` };
  const { current_generation: generation } = (await (await fetch(`${database.url}info`, { headers })).json()) as {
    current_generation: number;
  };
  const answer = await fetch(`${database.url}export/${generation}`, { headers });
  if (!answer.ok || !answer.body) throw new Error(`export: ${answer.status} ${await answer.text()}`);
  return digestOf(answer.body as AsyncIterable<Uint8Array>);
}

async function digestOf(parts: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of parts) hash.update(part);
  return hash.digest('hex');
}

async function put(database: TestDatabase, path: string, body: Uint8Array | string): Promise<unknown> {
  const headers = { authorization: `Bearer ${database.token}` };
  const answer = await fetch(database.url + path, { method: 'PUT', headers, body });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

function residentBytes(pid: number): number {
  const [, kilobytes] = /VmRSS:\s*(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
  return Number(kilobytes ?? 0) * 1024;
}
