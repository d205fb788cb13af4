import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataNode, type TestDatabase } from '../support/data-node.js';
import { databaseDirectory } from '../support/marked-places.js';

/** Files below a directory, by name. */
const namesBelow = (directory: string): string[] => readdirSync(directory, { recursive: true, encoding: 'utf8' });

describe.each(['libsql', 'tursodb'] as const)(
  'a node serves what the store says, whatever its local disk holds, on %s',
  (engine) => {
    let node: DataNode;
    let database: TestDatabase;

    beforeEach(async () => {
      node = await DataNode.start();
      database = await node.createDatabase('mine', engine);
      await node.run(database, 'CREATE TABLE t (a)', "INSERT INTO t VALUES ('first')");
    });

    afterEach(async () => node.dispose());

    it('an old copy of the database, in the very place where it was', async () => {
      const old = join(node.directory, 'old-cache');
      await cp(node.cacheDirectory, old, { recursive: true, filter: (path) => !path.endsWith('.sock') });
      await node.run(database, "INSERT INTO t VALUES ('second')");
      await node.end('SIGKILL');
      await rm(node.cacheDirectory, { recursive: true });
      await cp(old, node.cacheDirectory, { recursive: true });
      await node.restart();
      expect(await node.run(database, 'SELECT a FROM t')).toEqual([['first'], ['second']]);
    });

    it('a newer copy, of which the store knows nothing', async () => {
      const folder = databaseDirectory(node, database);
      const before = join(node.directory, 'store-before');
      await node.end();
      await cp(join(node.directory, 'store'), before, { recursive: true });
      await node.restart();
      await node.run(database, "INSERT INTO t VALUES ('never happened')");
      const kept = databaseDirectory(node, database);
      await cp(kept, join(node.directory, 'kept'), { recursive: true });
      await node.end('SIGKILL');
      await rm(join(node.directory, 'store'), { recursive: true });
      await cp(before, join(node.directory, 'store'), { recursive: true });
      for (const place of [folder, kept]) await cp(join(node.directory, 'kept'), place, { recursive: true });
      await node.restart();
      expect(await node.run(database, 'SELECT a FROM t')).toEqual([['first']]);
    });

    it('the cache of another deployment', async () => {
      const other = await DataNode.start();
      try {
        const foreign = await other.createDatabase('mine', engine);
        await other.run(foreign, 'CREATE TABLE t (a)', "INSERT INTO t VALUES ('foreign')");
        await other.end('SIGKILL');
        await node.end('SIGKILL');
        await rm(node.cacheDirectory, { recursive: true });
        await cp(other.cacheDirectory, node.cacheDirectory, { recursive: true });
        await node.restart();
        expect(await node.run(database, 'SELECT a FROM t')).toEqual([['first']]);
        expect(namesBelow(node.cacheDirectory).filter((name) => name.includes(foreign.id))).toEqual([]);
      } finally {
        await other.dispose();
      }
    });

    it('garbage in every file that the node itself had there', async () => {
      await node.end('SIGKILL');
      for (const entry of readdirSync(node.cacheDirectory, { recursive: true, withFileTypes: true })) {
        if (entry.isFile()) await writeFile(join(entry.parentPath, entry.name), randomBytes(10_000));
      }
      await node.restart();
      expect(await node.run(database, 'SELECT a FROM t')).toEqual([['first']]);
    });

    it('links out of it, under the names that the node itself uses', async () => {
      const names = readdirSync(node.cacheDirectory);
      expect(names).not.toEqual([]);
      await node.end('SIGKILL');
      const outside = join(node.directory, 'outside');
      await mkdir(outside);
      await writeFile(join(outside, 'precious'), 'kept');
      await rm(node.cacheDirectory, { recursive: true });
      await mkdir(node.cacheDirectory);
      for (const name of names) await symlink(outside, join(node.cacheDirectory, name));
      await node.restart();
      expect(await node.run(database, 'SELECT a FROM t')).toEqual([['first']]);
      expect(readFileSync(join(outside, 'precious'), 'utf8')).toBe('kept');
      expect(readdirSync(outside)).toEqual(['precious']);
    });

    it("files under the database's id that the node did not make", async () => {
      await node.end();
      const folder = join(node.cacheDirectory, `${database.id}.00000000`);
      await mkdir(folder, { recursive: true });
      for (const file of ['db', 'db-wal', 'db-shm', 'db-journal'])
        await writeFile(join(folder, file), randomBytes(8192));
      await node.restart();
      expect(await node.run(database, 'SELECT a FROM t')).toEqual([['first']]);
    });
  },
);
