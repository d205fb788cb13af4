/** A real data node whose log is in three directories. Each in turn is taken away, under load and at a recovery. */
import { spawnSync } from 'node:child_process';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory, removeTemporaryDirectories } from '../temporary-store.js';
import { DataNode, type TestDatabase } from '../support/data-node.js';

const zones = [0, 1, 2] as const;

afterEach(removeTemporaryDirectories);

/** Three directories, each of which can be taken away and put back as it was. */
class ZoneDirectories {
  private constructor(readonly directory: string) {}

  static async make(): Promise<ZoneDirectories> {
    return new ZoneDirectories(await temporaryDirectory());
  }

  path(zone: number): string {
    return join(this.directory, `zone-${zone}`);
  }

  get setting(): string {
    return zones.map((zone) => `file://${this.path(zone)}`).join(' ');
  }

  async takeAway(zone: number): Promise<void> {
    await rename(this.path(zone), `${this.path(zone)}-away`);
    // Nobody can make a new store there.
    await writeFile(this.path(zone), '');
  }

  async putBack(zone: number): Promise<void> {
    await rm(this.path(zone));
    await rename(`${this.path(zone)}-away`, this.path(zone));
  }

  async files(zone: number): Promise<number> {
    return (await readdir(this.path(zone), { recursive: true })).length;
  }
}

/** Writes one row after the other until it is stopped, and remembers what was acknowledged. */
class Load {
  readonly acknowledged: number[] = [];
  readonly errors: string[] = [];
  #isStopped = false;
  #running: Promise<void> = Promise.resolve();
  #next = 0;

  constructor(
    private readonly node: DataNode,
    private readonly database: TestDatabase,
  ) {}

  start(): void {
    this.#isStopped = false;
    this.#running = this.#write();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  /** Resolves when so many more rows were acknowledged. */
  async progress(rows: number): Promise<void> {
    const wanted = this.acknowledged.length + rows;
    while (this.acknowledged.length < wanted) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  async #write(): Promise<void> {
    while (!this.#isStopped) {
      const n = this.#next++;
      try {
        await this.node.run(this.node.here(this.database), { sql: 'INSERT INTO t VALUES (?)', args: [integer(n)] });
        this.acknowledged.push(n);
      } catch (error) {
        this.errors.push(String(error));
      }
    }
  }
}

const integer = (n: number): object => ({ type: 'integer', value: String(n) });

async function missingRows(node: DataNode, database: TestDatabase, load: Load): Promise<number[]> {
  const rows = new Set((await node.run(node.here(database), 'SELECT n FROM t')).map(([n]) => Number(n)));
  return load.acknowledged.filter((n) => !rows.has(n));
}

async function start(): Promise<{ directories: ZoneDirectories; node: DataNode; database: TestDatabase; load: Load }> {
  const directories = await ZoneDirectories.make();
  const node = await DataNode.start({
    TURSO_BYOC_LOG_STORE: directories.setting,
    TURSO_BYOC_ENGINE_PROCESSES: '1',
    TURSO_BYOC_COMMIT_WINDOW_MS: '1',
  });
  const database = await node.createDatabase('zones');
  await node.run(database, 'CREATE TABLE t (n INTEGER)');
  return { directories, node, database, load: new Load(node, database) };
}

describe('a data node with a log in three zones', () => {
  it('loses nothing and goes on when one is taken away under load, and another at the recovery', async () => {
    const { directories, node, database, load } = await start();
    try {
      load.start();
      await load.progress(20);
      await directories.takeAway(2);
      await load.progress(30);
      expect(await node.counted('log_zone_failing', 'zone="log-3"')).toBe(1);
      await directories.putBack(2);
      const before = await directories.files(2);
      await load.progress(30);
      expect(await directories.files(2)).toBeGreaterThan(before);
      expect(await node.counted('log_zone_failing')).toBe(0);
      expect(load.errors).toEqual([]);

      await directories.takeAway(1);
      await load.progress(20);
      await node.end('SIGKILL');
      await load.stop();
      await directories.putBack(1);

      // What was written while zone 1 was away is in zones 0 and 2; the recoverer reaches 1 and 2.
      await directories.takeAway(0);
      await node.restart();
      expect(node.logLines.join()).toContain('log zone cannot be used');
      expect(await missingRows(node, database, load)).toEqual([]);
      load.start();
      await load.progress(10);

      // The zone comes back to a node that started without it.
      await directories.putBack(0);
      while ((await node.counted('log_zone_failing')) > 0) await load.progress(1);
      expect(node.logLines.join()).toContain('log zone in use');
      await directories.takeAway(2);
      await load.progress(10);
      await load.stop();
      await node.end('SIGTERM');
      await node.restart();
      expect(await missingRows(node, database, load)).toEqual([]);
    } finally {
      await load.stop();
      await node.dispose();
    }
  });

  it('is backed up while one is away', async () => {
    const { directories, node } = await start();
    try {
      await directories.takeAway(1);
      await node.end('SIGKILL');
      const command = fileURLToPath(import.meta.resolve('@turso-byoc/data-plane/backup/backup-command.js'));
      const { status, stdout } = spawnSync(
        process.execPath,
        [command, 'take', '--backups', `file://${node.directory}/backups`],
        {
          encoding: 'utf8',
          env: {
            ...process.env,
            TURSO_BYOC_STORE_DIR: node.storeDirectory,
            TURSO_BYOC_LOG_STORE: directories.setting,
          },
        },
      );
      expect({ status, stdout }).toEqual({
        status: 0,
        stdout: expect.stringContaining('1 databases, 0 unchanged, 0 damaged'),
      });
    } finally {
      await directories.putBack(1);
      await node.dispose();
    }
  });

  it('does not take a zone that came back empty for the one that it was', async () => {
    const { directories, node, database, load } = await start();
    try {
      load.start();
      await load.progress(5);
      await node.end('SIGKILL');
      await load.stop();
      await rm(directories.path(0), { recursive: true });
      await node.restart();
      expect(node.logLines.join()).toContain('was in use and is empty now');
      expect(await missingRows(node, database, load)).toEqual([]);
      // In a new place it is taken, and bears a part.
      await node.end('SIGTERM');
      const setting = directories.setting.replace('zone-0', 'zone-0-new');
      await node.restart({ TURSO_BYOC_LOG_STORE: setting });
      await rm(directories.path(1), { recursive: true });
      load.start();
      await load.progress(5);
      await load.stop();
      expect(await missingRows(node, database, load)).toEqual([]);
    } finally {
      await load.stop();
      await node.dispose();
    }
  });

  it.each([
    ['two zones are lost', /STORE_MISCONFIGURED: two zones of the log must belong to deployment/, [0, 1]],
    ['two zones are away', /STORE_UNAVAILABLE: two zones of the log must belong to deployment/, []],
  ])('does not start when %s', async (_what, message, lost) => {
    const { directories, node } = await start();
    try {
      await node.end('SIGKILL');
      for (const zone of lost) await rm(directories.path(zone), { recursive: true });
      if (lost.length === 0) for (const zone of [0, 1]) await directories.takeAway(zone);
      await expect(node.restart()).rejects.toThrow(message);
    } finally {
      await node.dispose();
    }
  });
});
