/**
 * A deployment with some history, at rest: what a node left behind when it ended. It can be damaged and started, and put
 * back as it was.
 */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { decodeIndex, isSeal } from '../../src/storage/log-object.js';
import { DataNode, StatementError, type TestDatabase } from './data-node.js';
import { StoredFile, storedKeys } from './stored-file.js';

/** What a client of a database meets: its rows, or the code of the error. */
export type Met = string;

export class StoppedDeployment {
  private constructor(
    readonly node: DataNode,
    /** Has a generation of several segments, and a tail. */
    readonly folded: TestDatabase,
    /** Has a tail only. */
    readonly logged: TestDatabase,
    /** Like `logged`; nothing that is damaged belongs to it alone. */
    readonly bystander: TestDatabase,
  ) {}

  /** `how` decides whether the node could seal its log and write its recovery record. */
  static async make(how: 'stopped' | 'killed', engine: 'libsql' | 'tursodb' = 'libsql'): Promise<StoppedDeployment> {
    const node = await DataNode.start({ TURSO_BYOC_COMMIT_WINDOW_MS: '0' });
    const databases: TestDatabase[] = [];
    for (const name of ['folded', 'logged', 'bystander']) {
      const database = await node.createDatabase(name, engine);
      await node.run(database, 'CREATE TABLE t (a)', `INSERT INTO t VALUES ('${name}')`);
      databases.push(database);
    }
    const [folded, logged, bystander] = databases as [TestDatabase, TestDatabase, TestDatabase];
    await node.run(folded, 'CREATE TABLE filler (a)', 'INSERT INTO filler VALUES (randomblob(2000000))');
    const data = join(node.directory, 'store', 'data');
    while (!(await storedKeys(data, 'objects/')).some((key) => key.endsWith('/generation'))) await delay(20);
    for (let n = 0; n < 6; n++) {
      for (const database of databases) await node.run(database, `INSERT INTO t VALUES (${n})`);
    }
    await node.end(how === 'stopped' ? 'SIGTERM' : 'SIGKILL');
    await cp(join(node.directory, 'store'), join(node.directory, 'as-it-was'), { recursive: true });
    return new StoppedDeployment(node, folded, logged, bystander);
  }

  storeDirectory(store: 'data' | 'log' | 'control'): string {
    return join(this.node.directory, 'store', store);
  }

  /** Ends the node and puts the whole store back as it was. */
  async reset(): Promise<void> {
    await this.node.end('SIGKILL');
    await rm(join(this.node.directory, 'store'), { recursive: true });
    await cp(join(this.node.directory, 'as-it-was'), join(this.node.directory, 'store'), { recursive: true });
  }

  /** The log objects that hold a fragment of `database`, in order. */
  async logObjects(database: TestDatabase): Promise<StoredFile[]> {
    const directory = this.storeDirectory('log');
    const keys = await storedKeys(directory, 'log/');
    const files = keys.map((key) => new StoredFile(directory, key)).filter(({ body }) => !isSeal(body));
    return files.filter(({ key, body }) => {
      const index = decodeIndex(key, body);
      return typeof index !== 'number' && index.some((fragment) => fragment.database === database.id);
    });
  }

  /** The first stored object whose key matches. */
  async file(store: 'data' | 'log' | 'control', pattern: RegExp): Promise<StoredFile> {
    const key = (await storedKeys(this.storeDirectory(store))).find((candidate) => pattern.test(candidate));
    if (key === undefined) throw new Error(`no object ${String(pattern)}`);
    return new StoredFile(this.storeDirectory(store), key);
  }

  /** Asks every database for its rows. */
  async meet(): Promise<{ folded: Met; logged: Met; bystander: Met }> {
    const { folded, logged, bystander } = this;
    const answers: Met[] = [];
    for (const database of [folded, logged, bystander]) {
      answers.push(
        await this.node
          .run(database, "SELECT count(*) || ' rows of ' || min(CASE WHEN typeof(a) = 'text' THEN a END) FROM t")
          .then(([row]) => String(row?.[0]))
          .catch((error: unknown) => (error instanceof StatementError ? error.code : String(error))),
      );
    }
    const [first = '', second = '', third = ''] = answers;
    return { folded: first, logged: second, bystander: third };
  }

  async dispose(): Promise<void> {
    await this.node.dispose();
  }
}

/** What `meet` gives when nothing is wrong. */
export const everything = {
  folded: '7 rows of folded',
  logged: '7 rows of logged',
  bystander: '7 rows of bystander',
};
