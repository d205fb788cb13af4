import {
  copyFileSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
  closeSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EngineAdapter, EngineConnection } from '../adapters/adapter.js';
import { loadAdapter } from '../adapters/load-adapter.js';
import type { EngineName } from '../../identity.js';
import { emptyDatabaseImage } from '../../storage/empty-database.js';
import { newWalScratch, walFrameBytes, WalReader, type WalCommit } from './wal-reader.js';

describe.each<EngineName>(['libsql', 'tursodb'])('WalReader on files of %s', (engine) => {
  let adapter: EngineAdapter;
  let directory: string;
  let path: string;
  let connection: EngineConnection;
  let reader: WalReader;

  beforeAll(async () => {
    adapter = await loadAdapter(engine);
  });

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'wal-reader-'));
    path = join(directory, 'db');
    writeFileSync(path, emptyDatabaseImage(0));
    connection = adapter.open(path, { maxPages: 100_000 });
    reader = new WalReader(path, newWalScratch());
  });

  afterEach(() => {
    reader.close();
    connection.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const exec = (sql: string): void => connection.exec(sql);

  function allCommits(of = reader): WalCommit[] {
    const commits: WalCommit[] = [];
    for (let commit = of.nextCommit(); commit; commit = of.nextCommit()) commits.push(commit);
    return commits;
  }

  it('finds nothing before the first commit', () => {
    expect(reader.nextCommit()).toBeUndefined();
    exec('BEGIN IMMEDIATE');
    expect(reader.nextCommit()).toBeUndefined();
    exec('ROLLBACK');
    expect(reader.trailingBytes()).toBe(0);
  });

  it('reads each commit once, with its pages', () => {
    exec('CREATE TABLE t (a)');
    const [first, ...more] = allCommits();
    expect(more).toEqual([]);
    expect(first?.databasePages).toBe(2);
    expect([...(first?.pages.keys() ?? [])].sort()).toEqual([1, 2]);
    exec("INSERT INTO t VALUES ('needle in a page')");
    exec('INSERT INTO t VALUES (2)');
    const second = reader.nextCommit()!;
    const page = Buffer.alloc(4096);
    reader.copyPage(second.pages.get(2)!, page, 0);
    expect(page.includes('needle in a page')).toBe(true);
    expect(allCommits()).toHaveLength(1);
    expect(statSync(`${path}-wal`).size).toBe(32 + reader.frames * walFrameBytes);
  });

  it('reads a commit of many frames, the last content of each page', () => {
    exec('CREATE TABLE t (id INTEGER PRIMARY KEY, a)');
    exec('BEGIN');
    for (let row = 0; row < 600; row++) exec(`INSERT INTO t VALUES (${row}, zeroblob(3000))`);
    exec("UPDATE t SET a = 'rewritten ' || id || zeroblob(2900)");
    exec('COMMIT');
    const commits = allCommits();
    expect(commits).toHaveLength(2);
    const last = commits[1]!;
    expect(last.frameCount).toBeGreaterThanOrEqual(last.pages.size);
    const image = Buffer.alloc(last.databasePages * 4096);
    emptyDatabaseImage(0).copy(image);
    for (const { pages } of commits) {
      for (const [number, frame] of pages) reader.copyPage(frame, image, (number - 1) * 4096);
    }
    const copy = join(directory, 'copy');
    writeFileSync(copy, image);
    const check = adapter.open(copy, { maxPages: 100_000 });
    expect([...check.prepare('PRAGMA integrity_check').rows([])]).toEqual([['ok']]);
    expect([...check.prepare("SELECT count(*) FROM t WHERE a LIKE 'rewritten %'").rows([])]).toEqual([[600n]]);
    check.close();
  });

  it('passes over what a rollback left, and over frames of an open transaction', () => {
    exec('CREATE TABLE t (a)');
    allCommits();
    exec('BEGIN');
    for (let row = 0; row < 200; row++) exec('INSERT INTO t VALUES (zeroblob(4000))');
    expect(allCommits()).toEqual([]);
    expect(reader.trailingBytes()).toBeGreaterThan(0);
    exec('ROLLBACK');
    expect(allCommits()).toEqual([]);
    exec('INSERT INTO t VALUES (1)');
    expect(allCommits()).toHaveLength(1);
    exec('INSERT INTO t VALUES (2)');
    expect(allCommits()).toHaveLength(1);
  });

  it('starts anew after a checkpoint', () => {
    exec('CREATE TABLE t (a)');
    allCommits();
    expect(adapter.checkpoint(connection)).toBe(true);
    reader.restart();
    expect(reader.nextCommit()).toBeUndefined();
    exec('INSERT INTO t VALUES (1)');
    expect(allCommits()).toHaveLength(1);
    expect(reader.frames).toBeGreaterThan(0);
  });

  it('reads nothing from the first damaged bit on', () => {
    exec('CREATE TABLE t (a)');
    for (let row = 0; row < 4; row++) exec(`INSERT INTO t VALUES (${row})`);
    const wal = `${path}-wal`;
    const size = statSync(wal).size;
    const commits = allCommits().map(({ frameCount }) => frameCount);
    for (let offset = 0; offset < size; offset += 97) {
      const copy = join(directory, `damaged-${offset}`);
      copyFileSync(wal, `${copy}-wal`);
      flipBit(`${copy}-wal`, offset);
      const damaged = new WalReader(copy, newWalScratch());
      const read = allCommits(damaged).map(({ frameCount }) => frameCount);
      damaged.close();
      const damagedFrame = Math.floor((offset - 32) / walFrameBytes);
      const intact: number[] = [];
      for (let frame = 0; intact.length < commits.length; frame += intact.at(-1)!) {
        const frames = commits[intact.length]!;
        if (frame + frames > damagedFrame) break;
        intact.push(frames);
      }
      expect(read).toEqual(offset < 32 ? [] : intact);
    }
  });
});

function flipBit(path: string, offset: number): void {
  const fd = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, offset);
  byte.writeUInt8(byte.readUInt8(0) ^ 0x10, 0);
  writeSync(fd, byte, 0, 1, offset);
  closeSync(fd);
}
