import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EngineAdapter, EngineConnection } from '../adapters/adapter.js';
import { loadAdapter } from '../adapters/load-adapter.js';
import { FrameReader } from '../ipc/frame-reader.js';
import { decodeMessage } from '../ipc/messages.js';
import type { EngineName } from '../../identity.js';
import { systemRuntime } from '../../runtime.js';
import { emptyDatabaseImage } from '../../storage/empty-database.js';
import { CommitShipper } from './commit-shipper.js';
import { Outbox } from './outbox.js';
import { PoisonedError } from './poisoned.js';
import { WalIndex } from './wal-index.js';
import { newWalScratch, walFrameBytes, WalReader } from './wal-reader.js';

describe.each<EngineName>(['libsql', 'tursodb'])('CommitShipper with %s', (engine) => {
  let adapter: EngineAdapter;
  let directory: string;
  let path: string;
  let connection: EngineConnection;
  let shipper: CommitShipper;
  let outbox: Outbox;
  let commits: number[];

  beforeAll(async () => {
    adapter = await loadAdapter(engine);
  });

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'commit-shipper-'));
    path = join(directory, 'db');
    writeFileSync(path, emptyDatabaseImage(0));
    connection = adapter.open(path, { maxPages: 100_000 });
    commits = [];
    const reader = new FrameReader();
    const write = (bytes: Uint8Array): boolean => {
      reader.push(Buffer.from(bytes), (frame) => {
        const message = decodeMessage(frame);
        if (message.type === 'commit') commits.push(message.commit);
      });
      return true;
    };
    outbox = new Outbox({ write, writableNeedDrain: false, once: () => undefined }, systemRuntime);
    shipper = new CommitShipper({
      database: 1,
      commit: 10,
      maxTransactionBytes: 40 * walFrameBytes,
      wal: new WalReader(path, newWalScratch()),
      walIndex: engine === 'libsql' ? new WalIndex(path) : undefined,
      outbox,
    });
  });

  afterEach(() => {
    shipper.close();
    connection.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const sent = (): number[] => {
    outbox.flush();
    return commits;
  };

  it('numbers commits from where the file stands', () => {
    shipper.ship();
    connection.exec('CREATE TABLE t (a)');
    shipper.ship('committed');
    connection.exec('INSERT INTO t VALUES (1)');
    connection.exec('INSERT INTO t VALUES (2)');
    shipper.ship('committed');
    shipper.ship();
    expect(sent()).toEqual([11, 12, 13]);
    expect(shipper.commit).toBe(13);
  });

  it('notices a commit whose frames are damaged', () => {
    connection.exec('CREATE TABLE t (a)');
    shipper.ship('committed');
    const size = statSync(`${path}-wal`).size;
    connection.exec('INSERT INTO t VALUES (1)');
    const wal = openSync(`${path}-wal`, 'r+');
    writeSync(wal, Buffer.from([0xff]), 0, 1, size + 2_000);
    closeSync(wal);
    expect(() => shipper.ship('committed')).toThrow(PoisonedError);
    expect(sent()).toEqual([11]);
  });

  it('takes it that a transaction may leave nothing', () => {
    connection.exec('CREATE TABLE t (a)');
    shipper.ship('committed');
    connection.exec('BEGIN; INSERT INTO t VALUES (zeroblob(900000)); ROLLBACK');
    shipper.ship('unclear');
    connection.exec('BEGIN IMMEDIATE; COMMIT');
    shipper.ship('committed');
    connection.exec('UPDATE t SET a = a');
    shipper.ship('committed');
    connection.exec('INSERT INTO t VALUES (1)');
    shipper.ship('committed');
    connection.exec('UPDATE t SET a = a + 0');
    shipper.ship('committed');
    expect(sent().slice(0, 2)).toEqual([11, 12]);
  });

  it('takes it that the first transaction of a file leaves nothing but the header of the WAL', () => {
    connection.exec('CREATE TABLE t (a)');
    shipper.ship('committed');
    expect(adapter.checkpoint(connection)).toBe(true);
    shipper.checkpointed();
    connection.close();
    connection = adapter.open(path, { maxPages: 100_000 });
    connection.exec('CREATE TABLE IF NOT EXISTS t (a)');
    shipper.ship('committed');
    connection.exec('INSERT INTO t VALUES (1)');
    shipper.ship('committed');
    expect(sent()).toEqual([11, 12]);
  });

  it('sends nothing of a commit that is too large', () => {
    connection.exec('CREATE TABLE t (a)');
    shipper.ship('committed');
    connection.exec('INSERT INTO t VALUES (zeroblob(180000))');
    expect(() => shipper.ship('committed')).toThrow(
      expect.objectContaining({ answer: expect.objectContaining({ code: 'TRANSACTION_TOO_LARGE' }) as Error }) as Error,
    );
    expect(sent()).toEqual([11]);
  });

  it('goes on when a checkpoint could copy everything but not truncate', () => {
    connection.exec('CREATE TABLE t (a)');
    const reader = adapter.open(path, { maxPages: 100_000 });
    reader.exec('BEGIN');
    expect([...reader.prepare('SELECT * FROM t').rows([])]).toEqual([]);
    shipper.ship('committed');
    expect(adapter.checkpoint(connection)).toBe(false);
    reader.exec('COMMIT');
    reader.close();
    // The engine may start the WAL anew now, without our doing.
    for (let row = 0; row < 5; row++) {
      connection.exec('INSERT INTO t VALUES (1)');
      shipper.ship('committed');
    }
    expect(sent()).toEqual([11, 12, 13, 14, 15, 16]);
  });
});
