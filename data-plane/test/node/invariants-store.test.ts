/**
 * Invariants: what a database needs is there, whole and its own, or the database is refused by name: never an empty
 * database by mistake, never bytes of another place. And nothing is deleted, and the cache is worth nothing.
 */
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import type { DatabaseId } from '../../src/identity.js';
import { isSeal } from '../../src/storage/log-object.js';
import { generationName, manifestName } from '../../src/storage/object-names.js';
import { nodeProgram, type Mutation } from '../support/broken-node.js';
import { DataNode, StatementError, type TestDatabase } from '../support/data-node.js';
import { StoreSurgery } from '../support/store-surgery.js';

const settings = { TURSO_BYOC_ENGINE_PROCESSES: '1', TURSO_BYOC_COMMIT_WINDOW_MS: '0' };
const contents = 'SELECT count(*), sum(n), sum(length(padding)) FROM t';

interface Scene {
  readonly node: DataNode;
  readonly surgery: StoreSurgery;
  /** A database with two generations and a tail, and what it holds. */
  readonly subject: TestDatabase;
  readonly rows: unknown[][];
  readonly other: TestDatabase;
}

async function scene(mutation?: Mutation): Promise<Scene> {
  const { environment, program } = nodeProgram({ mutation });
  const node = await DataNode.start({ ...settings, ...environment }, program);
  const surgery = await StoreSurgery.of(node);
  const subject = await node.createDatabase('subject');
  const other = await node.createDatabase('other');
  for (const database of [subject, other]) {
    const newest = async (): Promise<number | undefined> => (await surgery.manifestOf(database)).generation?.number;
    await node.run(database, 'CREATE TABLE t (n INTEGER PRIMARY KEY, padding)');
    for (let generation = 1; generation <= 2; generation++) {
      const before = await newest();
      await node.run(database, `INSERT INTO t VALUES (${generation}, zeroblob(1500000))`);
      while ((await newest()) === before) await node.run(database, 'SELECT 1');
    }
    for (let n = 3; n <= 12; n++) await node.run(database, `INSERT INTO t VALUES (${n}, NULL)`);
  }
  return { node, surgery, subject, other, rows: await node.run(subject, contents) };
}

/** Rows, or the code of the refusal. A read that a machine without time to spare kept past a lease is asked for again. */
async function read(node: DataNode, database: TestDatabase, attempts = 5): Promise<unknown> {
  try {
    return await node.run(database, contents);
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    return error.code === 'OUTCOME_UNKNOWN' && attempts > 1 ? read(node, database, attempts - 1) : error.code;
  }
}

/** Starts the node and reads; the code with which it refuses to start is a refusal too. */
async function startAndRead(node: DataNode, database: TestDatabase): Promise<unknown> {
  try {
    await node.restart();
  } catch (error) {
    const code = /\b(STORE_[A-Z]+): /.exec(String(error))?.[1];
    if (code === undefined) throw error;
    return code;
  }
  return read(node, database);
}

async function logObjects({ surgery }: Scene): Promise<string[]> {
  const { keys } = await surgery.log.list('log/');
  const objects = await Promise.all(keys.map(async (key) => ({ key, body: (await surgery.log.get(key))!.body })));
  return objects.filter(({ body }) => !isSeal(body)).map(({ key }) => key);
}

/** Takes something away while no node runs and returns how to put it back. */
type Loss = (scene: Scene) => Promise<() => Promise<void>>;

const objects =
  (ending: RegExp): Loss =>
  async ({ surgery, subject }) =>
    surgery.remove('data', (await surgery.objectsOf(subject, ending)).slice(-1));

const directory =
  (choose: (node: DataNode) => string): Loss =>
  async ({ node }) => {
    const path = choose(node);
    await rename(path, `${path}.away`);
    return async () => {
      await rm(path, { recursive: true, force: true });
      await rename(`${path}.away`, path);
    };
  };

describe('never an empty database by mistake', () => {
  let prepared: Scene;
  beforeAll(async () => {
    prepared = await scene();
  });
  afterAll(async () => prepared.node.dispose());

  const losses: { what: string; code: string; lose: Loss }[] = [
    { what: 'the newest generation', code: 'STORE_OBJECT_MISSING', lose: objects(/\/generation$/) },
    { what: 'the segments of the newest generation', code: 'STORE_OBJECT_MISSING', lose: objects(/\/segments-\d+$/) },
    {
      what: 'one object in the middle of the log',
      code: 'EPOCH_NOT_RECOVERED',
      lose: async (scene) => scene.surgery.remove('log', (await logObjects(scene)).slice(-8, -7)),
    },
    {
      what: 'the log of the epoch from its beginning',
      code: 'EPOCH_NOT_RECOVERED',
      lose: async (scene) => scene.surgery.remove('log', await logObjects(scene)),
    },
    {
      what: 'the manifest',
      code: 'STORE_OBJECT_MISSING',
      lose: async ({ surgery, subject }) => surgery.remove('data', [manifestName(subject.id as DatabaseId)]),
    },
    {
      what: 'the node record of the epoch that wrote it',
      code: 'EPOCH_NOT_RECOVERED',
      lose: async ({ surgery, subject }) =>
        surgery.remove('data', [`nodes/${String((await surgery.manifestOf(subject)).owner)}`]),
    },
    { what: 'the keys', code: 'KEY_WRONG', lose: directory((node) => node.keyDirectory) },
  ];

  // Each on a copy of the same stores, left by a node that was killed.
  it.each(losses)(
    'without $what the database is refused ($code), and is whole again when it is back',
    async ({ code, lose }) => {
      const { node, rows, subject } = prepared;
      await node.end('SIGKILL');
      const kept = `${node.directory}/kept`;
      await mkdir(kept, { recursive: true });
      await cp(node.storeDirectory, `${kept}/store`, { recursive: true, preserveTimestamps: true });
      await cp(node.keyDirectory, `${kept}/keys`, { recursive: true, preserveTimestamps: true });
      try {
        const putBack = await lose(prepared);
        expect(await startAndRead(node, subject)).toBe(code);
        if (code !== 'STORE_MISCONFIGURED') expect(await read(node, subject)).toBe(code);
        await node.end('SIGKILL');
        await putBack();
        await node.restart();
        expect(await read(node, subject)).toEqual(rows);
      } finally {
        await node.end('SIGKILL');
        await rm(node.storeDirectory, { recursive: true });
        await rm(node.keyDirectory, { recursive: true });
        await rename(`${kept}/store`, node.storeDirectory);
        await rename(`${kept}/keys`, node.keyDirectory);
      }
    },
  );

  it.each(['log', 'data'])(
    'without the whole %s store no node starts, and all is whole again when it is back',
    async (store) => {
      const { node, rows, subject } = prepared;
      await node.end('SIGKILL');
      const putBack = await directory(() => `${node.storeDirectory}/${store}`)(prepared);
      for (let attempt = 0; attempt < 2; attempt++) await expect(node.restart()).rejects.toThrow('STORE_MISCONFIGURED');
      await putBack();
      await node.restart();
      expect(await read(node, subject)).toEqual(rows);
      await node.end('SIGKILL');
    },
  );

  it('with everything there it is whole, without its cache too', async () => {
    const { node, rows, subject } = prepared;
    await node.restart();
    expect(await read(node, subject)).toEqual(rows);
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      await node.end(signal);
      await node.deleteCache();
      await node.restart();
      expect(await read(node, subject)).toEqual(rows);
    }
    await node.end('SIGKILL');
  });

  it('a tail whose log object is missing is refused while the node runs, and read when it is back', async () => {
    const { node, rows, subject, surgery } = prepared;
    await node.restart();
    expect(await read(node, subject)).toEqual(rows);
    await node.end('SIGTERM');
    await node.restart();
    const putBack = await surgery.remove('log', await logObjects(prepared));
    expect(await read(node, subject)).toBe('STORE_OBJECT_MISSING');
    await putBack();
    expect(await read(node, subject)).toEqual(rows);
  });
});

describe('wrong place, no data', () => {
  let prepared: Scene;
  beforeAll(async () => {
    prepared = await scene();
    await prepared.node.end('SIGTERM');
    // The next owner has everything in generation and tail; the manifests say all there is to say.
    await prepared.node.restart();
    for (const database of [prepared.subject, prepared.other]) await prepared.node.run(database, 'SELECT 1');
  });
  afterAll(async () => prepared.node.dispose());

  const displacements: { what: string; code: string; displace: (scene: Scene) => Promise<void> }[] = [
    {
      what: "another database's tail",
      code: 'STORE_OBJECT_CORRUPT',
      displace: async ({ surgery, subject, other }) =>
        surgery.changeManifest(subject, { tail: (await surgery.manifestOf(other)).tail }),
    },
    {
      what: "another database's generation, copied to where its own would be",
      code: 'STORE_OBJECT_CORRUPT',
      displace: async ({ surgery, subject, other }) => {
        const { generation } = await surgery.manifestOf(other);
        const { term, number } = generation!;
        const [from, to] = [other, subject].map(({ id }) => generationName(id as DatabaseId, term, number));
        await surgery.copy(from!, to!);
        await surgery.changeManifest(subject, { generation: generation! });
      },
    },
    {
      what: "another database's segments in the place of its own",
      code: 'STORE_OBJECT_CORRUPT',
      displace: async ({ surgery, subject, other }) => {
        const [own, foreign] = await Promise.all(
          [subject, other].map(async (database) => surgery.objectsOf(database, /\/segments-\d+$/)),
        );
        await surgery.copy(foreign!.at(-1)!, own!.at(-1)!);
      },
    },
    {
      what: 'its own segments of an earlier generation',
      code: 'STORE_OBJECT_CORRUPT',
      displace: async ({ surgery, subject }) => {
        const own = await surgery.objectsOf(subject, /\/segments-\d+$/);
        await surgery.copy(own[0]!, own.at(-1)!);
      },
    },
    {
      what: "another database's manifest under its name",
      code: 'STORE_OBJECT_CORRUPT',
      displace: async ({ surgery, subject, other }) =>
        surgery.copy(manifestName(other.id as DatabaseId), manifestName(subject.id as DatabaseId)),
    },
    {
      what: "another database's keys, generation and tail",
      code: 'KEY_WRONG',
      displace: async (scene) => adopt(scene),
    },
  ];

  it.each(displacements)('a database with $what is refused ($code)', async ({ code, displace }) => {
    const { node, subject, other, rows } = prepared;
    // Something that is not folded, and owners that did not end in order, so that the manifests have a tail.
    for (const database of [subject, other]) await node.run(database, 'UPDATE t SET n = n WHERE n = 12');
    await node.end('SIGKILL');
    await node.restart();
    for (const database of [subject, other]) await node.run(database, 'SELECT 1');
    await node.end('SIGKILL');
    await cp(node.storeDirectory, `${node.directory}/kept`, { recursive: true, preserveTimestamps: true });
    try {
      // Opened anew: the directory is another one than in the case before.
      await displace({ ...prepared, surgery: await StoreSurgery.of(node) });
      await node.restart();
      expect(await read(node, subject)).toBe(code);
      expect(await read(node, other)).toEqual(rows);
    } finally {
      await node.end('SIGKILL');
      await rm(node.storeDirectory, { recursive: true });
      await rename(`${node.directory}/kept`, node.storeDirectory);
      await node.restart();
    }
  });

  /** Makes the manifest of one database say everything that another's says, but who it is. */
  async function adopt({ surgery, subject, other }: Scene): Promise<void> {
    const { keys, currentKey, generation, tail, term } = await surgery.manifestOf(other);
    for (const from of await surgery.objectsOf(other, /./)) {
      await surgery.copy(from, from.replace(/^objects\/[^/]+\/[^/]+/, databaseFolder(subject)));
    }
    await surgery.changeManifest(subject, { keys, currentKey, tail, term, ...(generation && { generation }) });
  }

  it('a node that does not check whose keys it unwraps would be noticed', async () => {
    const broken = await scene({
      file: 'database/database-keys.js',
      from: 'if (context.database === manifest.id && context.deployment === manifest.deployment)',
      to: 'if (true)',
    });
    try {
      await broken.node.end('SIGTERM');
      await adopt(broken);
      await broken.node.restart();
      expect(await read(broken.node, broken.subject)).not.toBe('KEY_WRONG');
    } finally {
      await broken.node.dispose();
    }
  });
});

describe('nothing is deleted', () => {
  /** Deletions of what databases are made of; what nodes note of each other, and log that was folded, comes and goes. */
  async function deletionsBy(node: DataNode): Promise<number> {
    const kinds = ['objects', 'manifests', 'names', 'nodes', 'recoveries'];
    const counts = kinds.map(async (kind) =>
      node.counted('store_requests_total', 'operation="delete"', `objects="${kind}"`),
    );
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  }

  /** Creates, writes, folds, takes over, recovers, deletes, creates again: how many deletions the stores were asked for. */
  async function deletions(mutation?: Mutation): Promise<number> {
    const { node, subject, other } = await scene(mutation);
    try {
      let count = await deletionsBy(node);
      for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
        await node.end(signal);
        await node.restart();
        await node.run(subject, `INSERT INTO t (padding) VALUES (zeroblob(1500000))`);
        await node.run(subject, 'DELETE FROM t WHERE n < 3');
        count += await deletionsBy(node);
      }
      expect((await node.admin('DELETE', `/admin/v1/databases/${other.id}`)).status).toBe(200);
      await node.run(await node.createDatabase(other.name), 'CREATE TABLE t (n)');
      expect(await node.counted('store_requests_total', 'operation="put"')).toBeGreaterThan(0);
      return count + (await deletionsBy(node));
    } finally {
      await node.dispose();
    }
  }

  it('in the life of a database', async () => {
    expect(await deletions()).toBe(0);
  });

  it('and a fold that removed the generation before would be noticed', async () => {
    const mutation = {
      file: 'database/fold-database.js',
      from: 'const result = await context.manifests.replace(current, next);',
      to: "await context.dataStore.delete('objects/before'); const result = await context.manifests.replace(current, next);",
    };
    expect(await deletions(mutation)).toBeGreaterThan(0);
  });
});

function databaseFolder(database: TestDatabase): string {
  return generationName(database.id as DatabaseId, 1, 1)
    .split('/')
    .slice(0, 3)
    .join('/');
}
