/**
 * Every alarm goes off: its condition is caused against servers that really run, and Prometheus' own evaluation judges what
 * they say of themselves before and after; so do the alarms of the templates, by the rules that CloudWatch documents. One node for what one node can suffer, one with two lives for deaths, and a control
 * plane whose clock runs faster.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
// The built files: the control plane exports nothing.
import { readConfig } from '../../../control-plane/dist/config.js';
import { startControlPlane } from '../../../control-plane/dist/control-plane.js';
import { createKey, setKeyState } from '../../src/keys/local-key-service.js';
import { alarms } from '../../src/metering/alarms/alarms.js';
import { LocalObjectStore } from '../../src/object-store/local-object-store.js';
import { DataNode, sharedLease, type TestDatabase } from '../support/data-node.js';
import { engineProcesses } from '../support/engine-processes.js';
import { SmallVolume } from '../support/small-volume.js';
import { storedKeys } from '../support/stored-file.js';
import { assertFiresInCloudWatch } from './cloudwatch.js';
import { assertFires, scrape, type Samples } from './samples.js';

const promtool = process.env['TURSO_BYOC_TEST_PROMTOOL'];
const fired = new Set<string>();

/** Both evaluations have the alarm quiet before, and off when what was seen since goes on. */
async function wentOff(name: string, before: Samples, after: Samples): Promise<void> {
  const rule = alarms.find((each) => each.name === name);
  if (!rule || promtool === undefined) throw new Error(`no alarm ${name}`);
  await assertFires(promtool, rule, before, after);
  assertFiresInCloudWatch(rule, before, after);
  fired.add(name);
}

/** `cause` makes the condition hold, and resolves when the server has noticed. */
async function fires(name: string, look: () => Promise<Samples>, cause: () => Promise<unknown>): Promise<void> {
  const before = await look();
  await cause();
  await wentOff(name, before, await look());
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const endMs = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > endMs) throw new Error('that did not happen in time');
    await delay(50);
  }
}

/** Puts something else in the place of a directory, as if what was behind it were gone. */
async function takeAway(path: string): Promise<() => Promise<void>> {
  await rename(path, `${path}-away`);
  await writeFile(path, '');
  return async () => {
    await rm(path);
    await rename(`${path}-away`, path);
  };
}

if (promtool === undefined) {
  it('skipped: no promtool given (set TURSO_BYOC_TEST_PROMTOOL, see .ci/install-chart-tools)', () => {
    process.stderr.write('alarms: skipped, no promtool given\n');
  });
} else {
  describe('alarms of a data node', () => {
    let node: DataNode;
    let zones: string;
    let cache: SmallVolume | undefined;
    let database: TestDatabase;
    const look = async (): Promise<Samples> => scrape(async () => node.admin('GET', '/admin/v1/metrics'));
    const insert = async (into = database): Promise<unknown> => node.run(into, 'INSERT INTO t VALUES (1)');
    const ignored = async (work: Promise<unknown>): Promise<unknown> => work.catch(() => undefined);

    beforeAll(async () => {
      zones = await mkdtemp(join(tmpdir(), 'turso-byoc-zones-'));
      try {
        cache = SmallVolume.mount(64 * 2 ** 20);
      } catch (error) {
        process.stderr.write(`the alarm disk-full: skipped, no file system can be mounted here: ${String(error)}\n`);
      }
      node = await DataNode.start({
        TURSO_BYOC_LOG_STORE: [0, 1, 2].map((zone) => `file://${zones}/zone-${zone}`).join(' '),
        ...(cache && { TURSO_BYOC_CACHE_DIR: cache.path }),
        TURSO_BYOC_COMMIT_WINDOW_MS: '0',
        TURSO_BYOC_DURABILITY_TIMEOUT_MS: '3000',
        TURSO_BYOC_KEY_PROBE_MS: '200',
        TURSO_BYOC_BEAT_MS: '300',
        TURSO_BYOC_LEASE_MS: '60000',
      });
      database = await node.createDatabase('first');
      await node.run(database, 'CREATE TABLE t (a)');
    });
    afterAll(async () => {
      await node.dispose();
      await rm(zones, { recursive: true, force: true });
      cache?.unmount();
    });

    it('log-zone-failing: one zone of the log is gone', async () => {
      let putBack = async (): Promise<void> => undefined;
      await fires('log-zone-failing', look, async () => {
        putBack = await takeAway(`${zones}/zone-0`);
        await until(async () => {
          await insert();
          return (await node.counted('log_zone_failing')) > 0;
        });
      }).finally(async () => putBack());
    });

    it('store-failing, commit-lag, lease-not-renewed, server-errors, slow-requests: no store answers', async () => {
      const before = await look();
      const putBack = await Promise.all(
        [`${zones}/zone-0`, `${zones}/zone-1`, `${zones}/zone-2`, join(node.storeDirectory, 'data')].map(takeAway),
      );
      await ignored(insert());
      await until(async () => (await node.counted('commit_lag_seconds')) > 5);
      const after = await look();
      for (const back of putBack) await back();
      for (const name of ['store-failing', 'commit-lag', 'lease-not-renewed', 'server-errors', 'slow-requests']) {
        await wentOff(name, before, after);
      }
      await until(async () => (await node.counted('commit_lag_seconds')) === 0);
    });

    it('key-service-silent: the key service is gone', async () => {
      const away = await node.createDatabase('key-away');
      let putBack = async (): Promise<void> => undefined;
      await fires('key-service-silent', look, async () => {
        putBack = await takeAway(node.keyDirectory);
        await ignored(node.run(away, 'SELECT 1'));
      }).finally(async () => putBack());
    });

    it('key-refused: a key is disabled', async () => {
      await createKey(node.keyDirectory, 'tenant', Date.now());
      const theirs = await node.createDatabase('theirs', 'libsql', { keyId: 'tenant' });
      await node.run(theirs, 'CREATE TABLE t (a)');
      await fires('key-refused', look, async () => {
        await setKeyState(node.keyDirectory, 'tenant', 'disabled');
        await until(async () => (await node.counted('databases_closed_for_key_total')) > 0);
      });
    });

    it('overloaded: one database is asked for more than may wait', async () => {
      await fires('overloaded', look, async () => {
        const sql = 'SELECT count(*) FROM generate_series(1, 200000)';
        await Promise.all(Array.from({ length: 640 }, async () => ignored(node.run(database, sql))));
      });
    });

    it('engine-crashes: engine processes are killed again and again', async () => {
      await fires('engine-crashes', look, async () => {
        while ((await node.counted('engine_restarts_total', 'killed')) <= 6) {
          for (const pid of engineProcesses(node)) process.kill(pid, 'SIGKILL');
          await until(async () => (await node.counted('engine_processes', 'ordinary')) >= 2);
        }
        await ignored(node.run(database, 'SELECT 1'));
      });
    });

    it('folds-failing, garbage-not-collected, store-damaged: what is stored of a database is damaged', async () => {
      const damaged = await node.createDatabase('damaged');
      await node.run(damaged, 'CREATE TABLE t (a)');
      const fold = async (outcome: string): Promise<void> => {
        const foldsBefore = await node.counted('folds_total', outcome);
        await until(async () => {
          for (let count = 0; count < 100; count++) await insert(damaged);
          return (await node.counted('folds_total', outcome)) > foldsBefore;
        });
      };
      await fold('done');
      const store = await LocalObjectStore.open(join(node.storeDirectory, 'data'));
      for (const key of await storedKeys(join(node.storeDirectory, 'data'), 'objects/')) {
        if (!key.includes(damaged.id)) continue;
        await store.delete(key);
        await store.put(key, randomBytes(200), { ifAbsent: true });
      }
      await store.close();
      await fires('garbage-not-collected', look, async () =>
        node.admin('POST', `/admin/v1/databases/${damaged.id}/collect`),
      );
      await fires('folds-failing', look, async () => fold('failed'));
      await fires('store-damaged', look, async () => {
        for (const pid of engineProcesses(node)) process.kill(pid, 'SIGKILL');
        await until(async () => {
          await ignored(node.run(damaged, 'SELECT * FROM t'));
          return (await node.counted('errors_total', 'STORE_OBJECT_CORRUPT')) > 0;
        });
      });
    });

    it('usage-not-collected: nobody says that what databases used was added up', async () => {
      await fires('usage-not-collected', look, async () => {
        while ((await node.counted('usage_uncollected_batches')) <= 120) {
          for (let batch = 0; batch < 16; batch++) {
            // Whoever asks makes a batch of what there is; engine processes tell it ten times a second.
            await node.run(database, 'SELECT 1');
            await delay(110);
            expect((await node.admin('GET', '/admin/v1/usage')).status).toBe(200);
          }
        }
      });
    });

    it('disk-full: the cache volume has no space', async () => {
      if (!cache) return;
      const large = await node.createDatabase('large');
      await fires('disk-full', look, async () => {
        cache?.fill(0);
        await ignored(node.run(large, 'CREATE TABLE t (a)'));
      });
      cache.free();
    });

    it('no-data-node: the node is killed', async () => {
      await fires('no-data-node', look, async () => node.end('SIGKILL'));
    });
  });

  it('nodes-condemned, log-not-recovered: a node dies, and its log is damaged', async () => {
    const node = await DataNode.start({ ...sharedLease, TURSO_BYOC_COMMIT_WINDOW_MS: '0' });
    const look = async (): Promise<Samples> => scrape(async () => node.admin('GET', '/admin/v1/metrics'));
    try {
      const other = await node.startBeside();
      const theirs = await other.createDatabase('theirs');
      const database = other.here(theirs);
      const logOf = async (): Promise<string[]> => storedKeys(join(node.storeDirectory, 'log'), 'log/');
      const before = new Set(await logOf());
      await other.run(database, 'CREATE TABLE t (a)');
      for (let count = 0; count < 8; count++) await other.run(database, 'INSERT INTO t VALUES (1)');
      const metrics = await look();
      await other.end('SIGKILL');
      const store = await LocalObjectStore.open(join(node.storeDirectory, 'log'));
      for (const key of (await logOf()).filter((each) => !before.has(each))) {
        await store.delete(key);
        await store.put(key, randomBytes(300), { ifAbsent: true });
      }
      await store.close();
      await until(async () => (await node.counted('warnings_total', 'a node epoch could not be recovered')) > 0);
      const after = await look();
      for (const name of ['nodes-condemned', 'log-not-recovered']) {
        await wentOff(name, metrics, after);
      }
    } finally {
      await node.dispose();
    }
  });

  it('alarms of a control plane: without data plane, admin interface, control store, identity provider', async () => {
    const node = await DataNode.start();
    // The admin interface through a door that can be shut.
    let isShut = false;
    const door = createServer((request, response) => {
      const pass = async (): Promise<void> => {
        const chunks: Buffer[] = [];
        for await (const chunk of request) chunks.push(chunk as Buffer);
        const body = chunks.length > 0 ? { body: Buffer.concat(chunks) } : {};
        const { authorization = '', 'content-type': type } = request.headers;
        const headers = { authorization, ...(type !== undefined && { 'content-type': type }) };
        const answer = await fetch(node.adminUrl + (request.url ?? ''), {
          method: request.method ?? 'GET',
          headers,
          ...body,
        });
        response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
      };
      if (isShut) response.destroy();
      else void pass().catch(() => response.destroy());
    }).listen(0, '127.0.0.1');
    // Time passes as fast as somebody waits for it.
    let aheadMs = 0;
    const clock = {
      now: () => Date.now() + aheadMs,
      sleep: async (ms: number, signal?: AbortSignal) => {
        aheadMs += ms;
        await delay(5, undefined, signal ? { signal } : {});
      },
    };
    const controlStore = join(node.storeDirectory, 'control');
    const keyFile = join(node.directory, 'oidc-secret');
    await writeFile(keyFile, 'secret-of-the-client');
    const control = await startControlPlane({
      config: readConfig({
        TURSO_BYOC_API_PORT: '0',
        TURSO_BYOC_METRICS_PORT: '0',
        TURSO_BYOC_DATA_URL: node.url,
        TURSO_BYOC_ADMIN_URL: `http://127.0.0.1:${(door.address() as AddressInfo).port}`,
        TURSO_BYOC_ADMIN_CREDENTIAL_FILE: node.credentialFile,
        TURSO_BYOC_SIGNING_KEY_SEED: randomBytes(32).toString('hex'),
        TURSO_BYOC_CONTROL_STORE_DIR: controlStore,
        TURSO_BYOC_HOSTNAME_SUFFIX: 'localhost:8080',
        TURSO_BYOC_OIDC_ISSUER: 'http://127.0.0.1:9',
        TURSO_BYOC_OIDC_CLIENT_ID: 'client',
        TURSO_BYOC_OIDC_CLIENT_SECRET_FILE: keyFile,
        TURSO_BYOC_PUBLIC_URL: 'http://127.0.0.1:8081',
      }),
      clock,
      logger: pino({ level: 'silent' }),
      signal: new AbortController().signal,
    });
    const credential = await readFile(node.credentialFile, 'utf8');
    const look = async (): Promise<Samples> =>
      scrape(async () =>
        fetch(`http://127.0.0.1:${control.metricsPort ?? 0}/metrics`, {
          headers: { authorization: `Bearer ${credential}` },
        }),
      );
    const seen = async (series: string): Promise<number> =>
      [...(await look())].filter(([name]) => name.startsWith(series)).reduce((sum, [, value]) => sum + value, 0);
    try {
      const { uuid } = await control.localUser();
      const token = await control.platformTokens.ensure(uuid, 'tests', undefined, 'launcher');
      const call = async (method: string, path: string, body?: unknown): Promise<number> => {
        const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
        const sent = body === undefined ? {} : { body: JSON.stringify(body) };
        return (await fetch(`http://127.0.0.1:${control.apiPort}${path}`, { method, headers, ...sent })).status;
      };
      expect((await fetch(`http://127.0.0.1:${control.metricsPort ?? 0}/metrics`)).status).toBe(401);

      await fires('sign-ins-failing', look, async () => {
        for (let count = 0; count < 22; count++) {
          await fetch(`http://127.0.0.1:${control.apiPort}/sign-in/callback?state=${randomUUID()}`);
        }
      });
      await fires('reconciler-backlog', look, async () => {
        isShut = true;
        expect(await call('POST', '/v1/databases', { name: 'left', group: 'default' })).toBe(503);
        await until(async () => (await seen('turso_byoc_control_reconciler_backlog')) > 0);
      });
      isShut = false;
      await fires('audit-not-exported', look, async () => {
        await takeAway(controlStore);
        expect(await call('POST', '/v1/databases', { name: 'audited', group: 'default' })).toBe(200);
        await until(async () => (await seen('turso_byoc_control_audit_export_lag_seconds')) > 300);
      });
      const before = await look();
      await node.end('SIGKILL');
      for (let count = 0; count < 4; count++) expect(await call('GET', '/v1/databases')).toBe(503);
      const after = await look();
      for (const name of ['api-errors', 'catalogue-failing']) {
        await wentOff(name, before, after);
      }
      await fires('no-control-plane', look, async () => control.stop());
    } finally {
      door.close();
      door.closeAllConnections();
      await node.dispose();
    }
  });

  it('are one rule file that promtool finds nothing wrong with, and every one went off', () => {
    const names = alarms.filter(({ condition }) => condition.kind !== 'aws').map(({ name }) => name);
    // Where no file system can be mounted, a disk cannot be filled.
    const all = names.filter((name) => name !== 'disk-full' || fired.has(name));
    expect([...fired].sort()).toEqual([...all].sort());
    expect(execFileSync(promtool, ['--version'], { encoding: 'utf8' })).toMatch(/^promtool, version/);
  });
}
