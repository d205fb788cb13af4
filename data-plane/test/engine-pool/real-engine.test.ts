/** The pool with the engine process of the product: what tenants can do to it, and what others notice of that. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import Libsql from 'libsql';
import { EnginePool, type EngineSlot, type OpenedInEngine } from '../../src/engine/pool/engine-pool.js';
import { isByocError } from '../../src/errors/catalogue.js';
import { newDatabaseId, type DatabaseId, type EngineName } from '../../src/identity.js';
import { systemRuntime } from '../../src/runtime.js';
import { ask, builtCode, limits, lossOf, scenery, type Asked, type Scenery } from './engine-scenery.js';

const runaway = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c';

describe('EnginePool with the engine process', () => {
  let scene: Scenery;
  let pool: EnginePool;
  let restarts: string[];

  beforeAll(async () => {
    scene = await scenery(join(builtCode, 'engine-process.js'));
  });
  afterAll(() => scene.remove());
  beforeEach(async () => {
    restarts = [];
    pool = await EnginePool.start({
      sandbox: scene.sandbox,
      cacheDirectory: scene.cacheDirectory,
      runtime: systemRuntime,
      processesPerEngine: 2,
      statementDeadlineMs: 2_500,
      metrics: { engineRestarted: (engine, cause) => restarts.push(`${engine} ${cause}`) },
      report: () => undefined,
    });
  });
  afterEach(async () => pool.stop());

  interface Tenant {
    readonly id: DatabaseId;
    readonly slot: EngineSlot;
    readonly opened: OpenedInEngine;
    readonly log: string[];
  }

  /** A database with a table `t` of one row, opened where the pool places it. */
  const open = async (id = newDatabaseId('libsql', Date.now()), engine: EngineName = 'libsql'): Promise<Tenant> => {
    const slot = await pool.place(id, engine);
    const { path: folder } = await slot.directory.createDatabaseDirectory(
      `${id}.${systemRuntime.randomBytes(4).toString('hex')}`,
    );
    const path = join(folder, 'db');
    const seed = new Libsql(path);
    seed.exec(
      'PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1); PRAGMA wal_checkpoint(TRUNCATE)',
    );
    seed.close();
    for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
    await slot.directory.handOver(folder);
    const log: string[] = [];
    const opened = await slot.open(
      id,
      { engine, path, commit: 1, limits },
      {
        onCommit: (commit, _pages, _bytes, last) => last && log.push(`commit ${commit}`),
        onStreams: (streams) => log.push(`streams ${streams}`),
        onRetiring: () => log.push('retiring'),
        onLost: () => log.push('lost'),
      },
    );
    return { id, slot, opened, log };
  };

  const run = ({ slot, opened }: Tenant, ...statements: string[]): Asked =>
    ask(slot, opened, {
      requests: [...statements.map((sql) => ({ type: 'execute', stmt: { sql, want_rows: true } })), { type: 'close' }],
    });

  it('runs statements and tells of commits', async () => {
    const tenant = await open();
    const written = await run(tenant, 'INSERT INTO t VALUES (2)').answer;
    expect(written).toMatchObject({ status: 200, seenCommit: 2 });
    expect(tenant.log).toEqual(['commit 2']);
    const read = await run(tenant, 'SELECT sum(a) FROM t').answer;
    expect(read.text).toContain('"value":"3"');
    expect(await tenant.slot.checkpoint(tenant.opened, 2)).toBe(true);
    await tenant.slot.close(tenant.opened);
  });

  it('stops a runaway statement, names it, and serves everybody else', async () => {
    const tenants = [await open(), await open(), await open(), await open()];
    const guilty = tenants[0]!;
    const neighbour = tenants.find(({ slot, id }) => slot === guilty.slot && id !== guilty.id)!;
    const elsewhere = tenants.find(({ slot }) => slot !== guilty.slot)!;

    const fatal = run(guilty, runaway);
    const behind = run(neighbour, 'INSERT INTO t VALUES (2)');
    // Other processes answer while this one is stuck.
    for (let round = 0; round < 20; round += 1) {
      expect((await run(elsewhere, 'INSERT INTO t VALUES (2)').answer).status).toBe(200);
    }
    expect(await lossOf(fatal)).toMatchObject({ cause: 'deadline', isCulprit: true });
    const lostBehind = await behind.answer.then(
      () => undefined,
      async () => lossOf(behind),
    );
    if (lostBehind) expect(lostBehind).toMatchObject({ isCulprit: false });
    expect(elsewhere.log).not.toContain('lost');
    expect(restarts).toEqual(['libsql deadline']);

    for (const { id } of [guilty, neighbour]) {
      const again = await open(id);
      expect((await run(again, 'SELECT count(*) FROM t').answer).text).toContain('"value":"1"');
    }
    expect((await pool.place(guilty.id, 'libsql')) === (await pool.place(neighbour.id, 'libsql'))).toBe(false);
  });

  it('serves again after it was killed from outside', async () => {
    const tenant = await open();
    await run(tenant, 'INSERT INTO t VALUES (2)').answer;
    const stuck = run(tenant, runaway);
    process.kill(tenant.slot.pid!, 'SIGKILL');
    expect(await lossOf(stuck)).toMatchObject({ cause: 'killed', hasCommitted: false });
    expect(tenant.log.at(-1)).toBe('lost');
    const again = await open(tenant.id);
    expect((await run(again, 'SELECT count(*) FROM t').answer).status).toBe(200);
    expect(restarts).toEqual(['libsql killed']);
  });

  it('keeps the engines apart in processes of their own', async () => {
    const libsql = await open();
    const tursodb = await open(newDatabaseId('tursodb', Date.now()), 'tursodb').catch((error: unknown) => {
      // Not every platform has a binary of this engine.
      if (isByocError(error, 'ENGINE_UNAVAILABLE')) return undefined;
      throw error;
    });
    if (!tursodb) return;
    expect((await run(tursodb, 'INSERT INTO t VALUES (2)').answer).seenCommit).toBe(2);
    process.kill(tursodb.slot.pid!, 'SIGKILL');
    expect((await run(libsql, 'SELECT 1').answer).status).toBe(200);
    expect(libsql.log).toEqual([]);
  });

  it('cannot be locked up by writers that wait for an open transaction', async () => {
    const tenant = await open();
    const pipeline = (baton: string | null, ...statements: string[]): Asked =>
      ask(tenant.slot, tenant.opened, {
        baton,
        requests: statements.map((sql) => ({ type: 'execute', stmt: { sql } })),
      });
    const begun = await pipeline(null, 'BEGIN IMMEDIATE', 'INSERT INTO t VALUES (2)').answer;
    const { baton } = JSON.parse(begun.text) as { baton: string };
    const writers = Array.from({ length: 40 }, () => run(tenant, 'INSERT INTO t VALUES (3)'));
    const committed = pipeline(baton, 'COMMIT');
    expect((await committed.answer).text).not.toContain('"type":"error"');
    for (const writer of writers) expect((await writer.answer).text).not.toContain('"type":"error"');
    expect((await run(tenant, 'SELECT count(*) FROM t').answer).text).toContain('"value":"42"');
  });
});
