import { mkdir, mkdtemp, readdir, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeObjectStoreContract } from '../../test/object-store-contract.js';
import { filesBelow } from '../../test/files-below.js';
import { isByocError } from '../errors/catalogue.js';
import { nodeFileLayer, type FileLayer } from './file-layer.js';
import { LocalObjectStore } from './local-object-store.js';
import { OutcomeUnknownError, StoreUnavailableError, type ETag } from './object-store.js';
import type { ProcessLiveness } from './process-liveness.js';

const absent = { ifAbsent: true } as const;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'local-object-store-'));
});
afterEach(async () => rm(directory, { recursive: true, force: true }));

describeObjectStoreContract('local', async () => {
  const own = await mkdtemp(join(tmpdir(), 'object-store-contract-'));
  const store = await LocalObjectStore.open(join(own, 'store'));
  return {
    store,
    dispose: async () => {
      await store.close();
      await rm(own, { recursive: true, force: true });
    },
  };
});

describe('a local object store in its directory', () => {
  it('leaves one file for an object that is not replaced, and none after it is deleted', async () => {
    const store = await LocalObjectStore.open(directory);
    await store.put('a/b', Buffer.from('x'), absent);
    expect(await filesBelow(directory)).toEqual(
      expect.arrayContaining([join(directory, 'FORMAT'), join(directory, 'objects', 'a,d', 'b,o')]),
    );
    expect(await filesBelow(directory)).toHaveLength(2);
    await store.delete('a/b');
    expect(await filesBelow(directory)).toEqual([join(directory, 'FORMAT')]);
  });

  it('keeps only the current version, and nothing of its bodies after deletion', async () => {
    const store = await LocalObjectStore.open(directory);
    let result = await store.put('key', Buffer.alloc(10_000, 'secret'), absent);
    for (let round = 0; round < 40; round++) {
      if (!result.won) throw new Error('lost');
      result = await store.put('key', Buffer.alloc(10_000, `secret${round}`), { ifMatch: result.etag });
    }
    const objects = await filesBelow(join(directory, 'objects'));
    expect(objects).toHaveLength(2);
    const sizes = await Promise.all(objects.map(async (path) => (await stat(path)).size));
    expect(sizes.filter((size) => size < 1000)).toHaveLength(1);
    await store.delete('key');
    expect(await filesBelow(join(directory, 'objects'))).toEqual([]);
    expect(await filesBelow(join(directory, 'tmp'))).toEqual([]);
  });

  it('finds its objects again, and ignores files that are not its own', async () => {
    const first = await LocalObjectStore.open(directory);
    await first.put('a/B', Buffer.from('x'), absent);
    await writeFile(join(directory, 'objects', '.DS_Store'), 'x');
    await writeFile(join(directory, 'objects', 'a,d', 'B,o'), 'x');
    const second = await LocalObjectStore.open(directory);
    expect((await second.get('a/B'))?.body.toString()).toBe('x');
    expect(await second.list('')).toEqual({ keys: ['a/B'] });
  });

  it('keeps other users out', async () => {
    const store = await LocalObjectStore.open(join(directory, 'store'));
    await store.put('a/b', Buffer.from('x'), absent);
    expect((await stat(join(directory, 'store'))).mode & 0o077).toBe(0);
    for (const path of await filesBelow(join(directory, 'store'))) expect((await stat(path)).mode & 0o077).toBe(0);
  });

  it('refuses a directory of an unknown format', async () => {
    await writeFile(join(directory, 'FORMAT'), 'turso-byoc/local-object-store/2\n');
    await expect(LocalObjectStore.open(directory)).rejects.toMatchObject({ code: 'STORE_FORMAT_UNKNOWN' });
  });

  it('is unavailable, not empty, when its directory is gone', async () => {
    const path = join(directory, 'store');
    const store = await LocalObjectStore.open(path);
    await store.put('a/b', Buffer.from('x'), absent);
    await rename(path, join(directory, 'moved'));
    await mkdir(path);
    await expect(store.get('a/b')).rejects.toThrow(StoreUnavailableError);
    await expect(store.list('')).rejects.toThrow(StoreUnavailableError);
    await expect(store.put('c/d', Buffer.from('x'), absent)).rejects.toThrow(StoreUnavailableError);
    await expect(store.delete('a/b')).rejects.toThrow(StoreUnavailableError);
  });

  it('reports a file that is not the object by name', async () => {
    const store = await LocalObjectStore.open(directory);
    await store.put('a', Buffer.from('x'), absent);
    await store.put('b', Buffer.from('y'), absent);
    await rename(join(directory, 'objects', 'a,o'), join(directory, 'objects', 'b,o'));
    await expect(store.get('b')).rejects.toMatchObject({ code: 'STORE_OBJECT_CORRUPT' });
    await writeFile(join(directory, 'objects', 'c,o'), 'rubbish');
    const error: unknown = await store.get('c').catch((reason: unknown) => reason);
    expect(isByocError(error, 'STORE_OBJECT_CORRUPT')).toBe(true);
  });

  describe('reports a file that was cut off', () => {
    const body = Buffer.from('twenty bytes of text');
    const damaged = { code: 'STORE_OBJECT_CORRUPT' };

    it.each(Array.from(body.keys()))('at byte %i of its body', async (length) => {
      const store = await LocalObjectStore.open(directory);
      const first = await store.put('first', body, absent);
      const replaced = await store.put('replaced', Buffer.from('before'), absent);
      if (!first.won || !replaced.won) throw new Error('lost');
      await store.put('replaced', body, { ifMatch: replaced.etag });
      const [version = ''] = await filesBelow(join(directory, 'objects', 'replaced,v'));
      for (const path of [join(directory, 'objects', 'first,o'), version]) {
        await truncate(path, (await stat(path)).size - body.length + length);
      }
      for (const key of ['first', 'replaced']) {
        await expect(store.get(key)).rejects.toMatchObject(damaged);
        await expect(store.getRange(key, 0, 1)).rejects.toMatchObject(damaged);
      }
    });

    it('and an object whose later versions are gone', async () => {
      const store = await LocalObjectStore.open(directory);
      const first = await store.put('a', body, absent);
      if (!first.won) throw new Error('lost');
      await store.put('a', body, { ifMatch: first.etag });
      await rm(join(directory, 'objects', 'a,v'), { recursive: true });
      await expect(store.get('a')).rejects.toMatchObject(damaged);
    });
  });
});

describe('a local object store on a failing disk', () => {
  const systemError = (code: string): Error => Object.assign(new Error(code), { code, errno: -1, syscall: 'test' });
  const failing = (operation: 'append' | 'sync' | 'link' | 'syncDirectory', code: string): FileLayer => ({
    ...nodeFileLayer,
    create: async (path) => {
      const file = await nodeFileLayer.create(path);
      const fail = (): Promise<void> => Promise.reject(systemError(code));
      return {
        append: operation === 'append' ? fail : (parts) => file.append(parts),
        sync: operation === 'sync' ? fail : () => file.sync(),
        read: (buffer, position) => file.read(buffer, position),
        truncate: (sizeBytes) => file.truncate(sizeBytes),
        status: () => file.status(),
        close: () => file.close(),
      };
    },
    link: (from, to) => (operation === 'link' ? Promise.reject(systemError(code)) : nodeFileLayer.link(from, to)),
    syncDirectory: (path) =>
      operation === 'syncDirectory' ? Promise.reject(systemError(code)) : nodeFileLayer.syncDirectory(path),
  });

  it.each([
    ['append', 'ENOSPC', StoreUnavailableError],
    ['append', 'EDQUOT', StoreUnavailableError],
    ['append', 'EIO', StoreUnavailableError],
    ['sync', 'ENOSPC', StoreUnavailableError],
    ['sync', 'EIO', StoreUnavailableError],
    ['link', 'ENOSPC', StoreUnavailableError],
    ['link', 'EDQUOT', StoreUnavailableError],
    ['link', 'EIO', OutcomeUnknownError],
    ['syncDirectory', 'EIO', OutcomeUnknownError],
    ['syncDirectory', 'ENOSPC', OutcomeUnknownError],
  ] as const)('says what a failing %s (%s) means', async (operation, code, expected) => {
    let files: FileLayer = nodeFileLayer;
    const delegate: FileLayer = {
      ...nodeFileLayer,
      create: (path) => files.create(path),
      link: (from, to) => files.link(from, to),
      syncDirectory: (path) => files.syncDirectory(path),
    };
    const store = await LocalObjectStore.open(directory, { files: delegate });
    const before = await store.put('a/old', Buffer.from('1'), absent);
    if (!before.won) throw new Error('lost');
    const next = await store.put('a/old', Buffer.from('2'), { ifMatch: before.etag });
    if (!next.won) throw new Error('lost');
    files = failing(operation, code);
    await expect(store.put('a/new', Buffer.from('x'), absent)).rejects.toThrow(expected);
    await expect(store.put('a/old', Buffer.from('3'), { ifMatch: next.etag })).rejects.toThrow(expected);
    files = nodeFileLayer;
    if (expected === StoreUnavailableError) {
      expect(await store.get('a/new')).toBeUndefined();
      expect((await store.get('a/old'))?.body.toString()).toBe('2');
      expect(await filesBelow(join(directory, 'tmp'))).toEqual([]);
      expect((await store.put('a/new', Buffer.from('x'), absent)).won).toBe(true);
    } else {
      expect([undefined, 'x']).toContain((await store.get('a/new'))?.body.toString());
      expect(['2', '3']).toContain((await store.get('a/old'))?.body.toString());
    }
  });

  it('leaves nothing behind when there is no room for a new directory', async () => {
    let isFull = false;
    const store = await LocalObjectStore.open(directory, {
      files: {
        ...nodeFileLayer,
        makeDirectory: (path) =>
          isFull && path.includes('/objects/')
            ? Promise.reject(systemError('ENOSPC'))
            : nodeFileLayer.makeDirectory(path),
      },
    });
    isFull = true;
    await expect(store.put('b/new', Buffer.from('x'), absent)).rejects.toThrow(StoreUnavailableError);
    expect(await filesBelow(join(directory, 'tmp'))).toEqual([]);
    isFull = false;
    expect((await store.put('b/new', Buffer.from('x'), absent)).won).toBe(true);
  });
});

describe('a writer of a local object store that stalls before its write counts', () => {
  /** Starts a replacement that is held up before its link, does `meanwhile`, lets it go; returns how it ends. */
  async function stalled(meanwhile: (store: LocalObjectStore, etag: ETag) => Promise<void>): Promise<unknown> {
    const store = await LocalObjectStore.open(directory);
    const first = await store.put('key', Buffer.from('1'), absent);
    if (!first.won) throw new Error('lost');
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const arrived = new Promise<void>((resolve) => {
      void LocalObjectStore.open(directory, {
        files: {
          ...nodeFileLayer,
          link: async (from, to) => {
            resolve();
            await released;
            await nodeFileLayer.link(from, to);
          },
        },
      }).then((slow) => {
        outcome = slow.put('key', Buffer.from('late'), { ifMatch: first.etag }).catch((error: unknown) => error);
      });
    });
    let outcome: Promise<unknown> = Promise.resolve();
    await arrived;
    await meanwhile(store, first.etag);
    release();
    return outcome;
  }

  const replace = async (store: LocalObjectStore, etag: ETag, times: number): Promise<void> => {
    let ifMatch = etag;
    for (let time = 0; time < times; time++) {
      const result = await store.put('key', Buffer.from(`replaced ${time}`), { ifMatch });
      if (!result.won) throw new Error('lost');
      ifMatch = result.etag;
    }
  };

  it('wins when nothing happened meanwhile', async () => {
    expect(await stalled(() => Promise.resolve())).toMatchObject({ won: true });
  });

  it.each([1, 2, 3, 30])('loses when %i others replaced the object, and their versions stay', async (times) => {
    expect(await stalled((store, etag) => replace(store, etag, times))).toEqual({ won: false });
    const store = await LocalObjectStore.open(directory);
    expect((await store.get('key'))?.body.toString()).toBe(`replaced ${times - 1}`);
    expect(await filesBelow(join(directory, 'objects', 'key,v'))).toHaveLength(1);
  });

  it('does not know any more after very many replacements, but takes no effect', async () => {
    const result = await stalled((store, etag) => replace(store, etag, 40));
    expect(result).toBeInstanceOf(OutcomeUnknownError);
    const store = await LocalObjectStore.open(directory);
    expect((await store.get('key'))?.body.toString()).toBe('replaced 39');
  });

  it('brings nothing back when the object was deleted, or deleted and created again', async () => {
    const result = await stalled(async (store) => {
      await store.delete('key');
      await store.put('key', Buffer.from('new'), absent);
    });
    expect(result).toBeInstanceOf(OutcomeUnknownError);
    const store = await LocalObjectStore.open(directory);
    const object = await store.get('key');
    expect(object?.body.toString()).toBe('new');
    if (object === undefined) throw new Error('absent');
    await replace(store, object.etag, 1);
    expect(await filesBelow(join(directory, 'objects', 'key,v'))).toHaveLength(1);
    await store.delete('key');
    expect(await stalled((other) => other.delete('key'))).toBeInstanceOf(OutcomeUnknownError);
    expect(await store.get('key')).toBeUndefined();
  });
});

describe('what dead processes leave behind', () => {
  const left = `${'0'.repeat(16)}-77-${'0'.repeat(16)}`;
  const liveness = (alive: boolean, scope = '0'.repeat(16)): ProcessLiveness => ({
    pid: 78,
    scope,
    isAlive: () => alive,
  });
  const day = 24 * 60 * 60 * 1000;

  it.each([
    ['is gone', liveness(false), 0, true],
    ['is alive', liveness(true), 0, false],
    ['is of another machine', liveness(false, 'f'.repeat(16)), 0, false],
    ['is of another machine and was silent for days', liveness(false, 'f'.repeat(16)), 2 * day, true],
  ])('is removed when its owner %s', async (_, seenBy, passedMs, removed) => {
    await (await LocalObjectStore.open(directory)).close();
    await mkdir(join(directory, 'tmp', left));
    await writeFile(join(directory, 'tmp', left, '0'), 'half an obj');
    const store = await LocalObjectStore.open(directory, { liveness: seenBy, nowMs: () => Date.now() + passedMs });
    expect((await readdir(join(directory, 'tmp'))).includes(left)).toBe(!removed);
    expect((await store.put('a', Buffer.from('x'), absent)).won).toBe(true);
  });

  it('goes on after its temporary directory was taken for abandoned', async () => {
    const store = await LocalObjectStore.open(directory);
    await store.put('a', Buffer.from('x'), absent);
    const other = liveness(false, 'f'.repeat(16));
    await LocalObjectStore.open(directory, { liveness: other, nowMs: () => Date.now() + 2 * day });
    expect((await store.put('b', Buffer.from('x'), absent)).won).toBe(true);
  });
});
