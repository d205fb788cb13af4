/** What every object store must do; each implementation's test calls this. */
import { randomBytes } from 'node:crypto';
import type { ETag, ObjectStore, WriteResult } from '../src/object-store/object-store.js';
import type { StorableNames } from './storable-names.js';

export interface StoreUnderTest {
  readonly store: ObjectStore;
  /** Removes the store and all that was put into it. */
  readonly dispose: () => Promise<void>;
}

const absent = { ifAbsent: true } as const;
const noSuchETag = '0'.repeat(32) as ETag;

function etagOf(result: WriteResult): ETag {
  if (!result.won) throw new Error('the write lost');
  return result.etag;
}

async function allKeys(store: ObjectStore, prefix: string, limit: number): Promise<string[]> {
  const keys: string[] = [];
  let after: string | undefined;
  do {
    const page = await store.list(prefix, after === undefined ? { limit } : { limit, after });
    expect(page.keys.length).toBeLessThanOrEqual(limit);
    keys.push(...page.keys);
    after = page.next;
  } while (after !== undefined);
  return keys;
}

/**
 * Declares the tests; `makeStore` gives an empty store that no other test sees. Where names are those of files, an object
 * `a` excludes an object `a/b`, and no segment is longer than 255 bytes; nothing stored by this product has such names.
 */
export function describeObjectStoreContract(
  name: string,
  makeStore: () => Promise<StoreUnderTest>,
  storable: StorableNames = 'every',
): void {
  const storableOf = (keys: string[]): string[] =>
    storable === 'every'
      ? keys
      : keys.filter(
          (key) =>
            !keys.some((other) => other.startsWith(`${key}/`)) &&
            key.split('/').every((segment) => segment.length < 255),
        );

  describe(`${name}: object store contract`, () => {
    let underTest: StoreUnderTest;
    let store: ObjectStore;
    beforeEach(async () => {
      underTest = await makeStore();
      store = underTest.store;
    });
    afterEach(async () => underTest.dispose());

    const put = async (key: string, text = key): Promise<ETag> =>
      etagOf(await store.put(key, Buffer.from(text), absent));
    const read = async (key: string): Promise<string | undefined> => (await store.get(key))?.body.toString();

    it('has nothing at first', async () => {
      expect(await store.get('a/b')).toBeUndefined();
      expect(await store.getRange('a/b', 0, 1)).toBeUndefined();
      expect(await store.list('')).toEqual({ keys: [] });
      await store.delete('a/b');
    });

    it('gives back what was put, with the ETag that put returned', async () => {
      const etag = await put('a/b', 'content');
      const object = await store.get('a/b');
      expect(object?.body.toString()).toBe('content');
      expect(object?.etag).toBe(etag);
    });

    it('keeps an object whose name is also the start of other names', async () => {
      const keys = storableOf(['a', 'a/a', 'a/a/a', 'aa']);
      for (const key of keys) await put(key);
      for (const key of keys) expect(await read(key)).toBe(key);
    });

    it('tells names apart that differ only in case', async () => {
      await put('Node/A');
      await put('node/a');
      expect(await read('Node/A')).toBe('Node/A');
      expect(await read('node/a')).toBe('node/a');
      expect(await read('Node/a')).toBeUndefined();
    });

    it('takes names of every allowed form', async () => {
      const keys = storableOf([
        '...',
        '.a',
        '-',
        '_',
        '=',
        'a=b/c',
        'x'.repeat(900),
        'X'.repeat(512) + '/y',
        'a/'.repeat(449) + 'a',
      ]);
      for (const key of keys) await put(key);
      for (const key of keys) expect(await read(key)).toBe(key);
      expect(await allKeys(store, '', 2)).toEqual([...keys].sort());
    });

    it('refuses names that are none', async () => {
      const names = ['', '/', 'a/', '/a', 'a//b', '.', '..', 'a/../b', './a', 'a b', 'a,b', 'a+b', 'é', 'a\0', 'a\n'];
      for (const key of [...names, 'x'.repeat(901)]) {
        await expect(store.get(key)).rejects.toThrow(RangeError);
        await expect(store.getRange(key, 0, 1)).rejects.toThrow(RangeError);
        await expect(store.put(key, Buffer.alloc(0), absent)).rejects.toThrow(RangeError);
        await expect(store.delete(key)).rejects.toThrow(RangeError);
      }
    });

    it('creates only what is absent', async () => {
      const etag = await put('key', 'first');
      expect(await store.put('key', Buffer.from('second'), absent)).toEqual({ won: false });
      expect(await store.get('key')).toEqual({ body: Buffer.from('first'), etag });
    });

    it('replaces only the version that the ETag names', async () => {
      expect(await store.put('key', Buffer.from('x'), { ifMatch: noSuchETag })).toEqual({ won: false });
      expect(await store.get('key')).toBeUndefined();
      const first = await put('key', '1');
      const second = etagOf(await store.put('key', Buffer.from('2'), { ifMatch: first }));
      expect(second).not.toBe(first);
      expect(await store.put('key', Buffer.from('3'), { ifMatch: first })).toEqual({ won: false });
      expect(await store.put('key', Buffer.from('3'), { ifMatch: noSuchETag })).toEqual({ won: false });
      expect(await store.put('key', Buffer.from('3'), absent)).toEqual({ won: false });
      expect(await store.get('key')).toEqual({ body: Buffer.from('2'), etag: second });
    });

    it('shows every one of many replacements', async () => {
      let etag = await put('key', '0');
      for (let version = 1; version <= 60; version++) {
        etag = etagOf(await store.put('key', Buffer.from(String(version)), { ifMatch: etag }));
        expect(await read('key')).toBe(String(version));
      }
      expect(await store.list('')).toEqual({ keys: ['key'] });
    });

    it('does not match ETags from before a deletion', async () => {
      const first = await put('key', 'old');
      const second = etagOf(await store.put('key', Buffer.from('old 2'), { ifMatch: first }));
      await store.delete('key');
      expect(await store.get('key')).toBeUndefined();
      expect(await store.put('key', Buffer.from('x'), { ifMatch: second })).toEqual({ won: false });
      const third = await put('key', 'new');
      for (const ifMatch of [first, second]) {
        expect(await store.put('key', Buffer.from('x'), { ifMatch })).toEqual({ won: false });
      }
      expect(await read('key')).toBe('new');
      etagOf(await store.put('key', Buffer.from('newer'), { ifMatch: third }));
      expect(await read('key')).toBe('newer');
    });

    it('deletes one object and leaves its neighbours', async () => {
      for (const key of storableOf(['a', 'a/b', 'a/c', 'ab'])) await put(key);
      await store.delete('a/b');
      await store.delete('a/b');
      await store.delete('a');
      expect(await store.list('')).toEqual({ keys: ['a/c', 'ab'] });
      expect(await read('a/c')).toBe('a/c');
    });

    it('lets exactly one of 16 create an object', async () => {
      for (let round = 0; round < 50; round++) {
        const key = `race/${round}`;
        const results = await Promise.all(
          Array.from({ length: 16 }, (_, racer) => store.put(key, Buffer.from(`racer ${racer}`), absent)),
        );
        const winners = results.flatMap((result, racer) => (result.won ? [racer] : []));
        expect(winners).toHaveLength(1);
        expect(await read(key)).toBe(`racer ${winners[0]}`);
      }
    });

    it('lets exactly one of 16 replace a version', async () => {
      let etag = await put('race', 'start');
      for (let round = 0; round < 50; round++) {
        const ifMatch = etag;
        // Never the same bytes twice: a store may make its ETags of them.
        const bodyOf = (racer: number): Buffer => Buffer.from(`racer ${racer} of round ${round}`);
        const results = await Promise.all(
          Array.from({ length: 16 }, (_, racer) => store.put('race', bodyOf(racer), { ifMatch })),
        );
        const winners = results.flatMap((result, racer) => (result.won ? [racer] : []));
        expect(winners).toHaveLength(1);
        etag = etagOf(results[winners[0]!]!);
        expect(await store.get('race')).toEqual({ body: bodyOf(winners[0]!), etag });
      }
    });

    it('loses no update of writers that read, change and write', async () => {
      await put('counter', '0');
      const increment = async (): Promise<void> => {
        for (;;) {
          const { body, etag } = (await store.get('counter'))!;
          const next = Buffer.from(String(Number(body.toString()) + 1));
          if ((await store.put('counter', next, { ifMatch: etag })).won) return;
        }
      };
      await Promise.all(
        Array.from({ length: 4 }, async () => {
          for (let round = 0; round < 10; round++) await increment();
        }),
      );
      expect(await read('counter')).toBe('40');
    });

    it('reads ranges', async () => {
      const first = await put('key', '0123456789');
      const etag = etagOf(await store.put('replaced', Buffer.alloc(100_000, 'ab'), absent));
      etagOf(await store.put('replaced', Buffer.from('0123456789'), { ifMatch: etag }));
      expect(first).toBeDefined();
      for (const key of ['key', 'replaced']) {
        const range = async (start: number, length: number): Promise<string | undefined> =>
          (await store.getRange(key, start, length))?.toString();
        expect(await range(0, 10)).toBe('0123456789');
        expect(await range(0, 1)).toBe('0');
        expect(await range(3, 4)).toBe('3456');
        expect(await range(8, 10)).toBe('89');
        expect(await range(10, 1)).toBe('');
        expect(await range(1000, 1000)).toBe('');
        expect(await range(5, 0)).toBe('');
        for (const [start, length] of [
          [-1, 1],
          [0, -1],
          [0.5, 1],
          [0, NaN],
        ] as const) {
          await expect(store.getRange(key, start, length)).rejects.toThrow(RangeError);
        }
      }
    });

    it('keeps an empty object', async () => {
      const etag = await put('empty', '');
      expect(await store.get('empty')).toEqual({ body: Buffer.alloc(0), etag });
      expect(await store.getRange('empty', 0, 10)).toEqual(Buffer.alloc(0));
      const next = etagOf(await store.put('empty', Buffer.alloc(0), { ifMatch: etag }));
      expect(await store.get('empty')).toEqual({ body: Buffer.alloc(0), etag: next });
    });

    it('keeps an object of 64 MiB', async () => {
      const body = randomBytes(64 * 1024 * 1024);
      etagOf(await store.put('large', body, absent));
      expect((await store.get('large'))?.body.equals(body)).toBe(true);
      const middle = await store.getRange('large', 33_333_333, 1_000_000);
      expect(middle?.equals(body.subarray(33_333_333, 34_333_333))).toBe(true);
      expect((await store.getRange('large', body.length - 5, 10))?.equals(body.subarray(-5))).toBe(true);
    });

    it('keeps the bytes as they were when put was called on a view of a larger buffer', async () => {
      etagOf(await store.put('view', Buffer.from('0123456789').subarray(2, 5), absent));
      expect(await read('view')).toBe('234');
    });

    it('lists keys in ascending byte order, in pages', async () => {
      const keys = [
        'a',
        'a-',
        'a.b',
        'a/',
        'a/b',
        'a/b-c',
        'a/b/c',
        'a0',
        'aB',
        'ab',
        'B',
        'b/1',
        'b/10',
        'b/2',
        'b=',
        'z',
      ];
      const long = 'm'.repeat(99);
      keys.push(
        long,
        `${long}m`,
        `${long}m/x`,
        `${long}m-/x`,
        `${long}mm/x`,
        `${long}/x`,
        `${long}m-`,
        `${'m'.repeat(250)}/x`,
      );
      const valid = storableOf(keys.filter((key) => !key.endsWith('/'))).sort();
      for (const key of [...valid].reverse()) await put(key);
      for (const limit of [1, 2, 3, 5, 100]) expect(await allKeys(store, '', limit)).toEqual(valid);
      for (const prefix of [
        'a',
        'a/',
        'a/b',
        'a/b/',
        'b',
        'b/1',
        'mm',
        `${long}m`,
        `${long}m/`,
        'nothing',
        'a/nothing/',
        'z',
      ]) {
        const expected = valid.filter((key) => key.startsWith(prefix));
        for (const limit of [1, 3, 100]) expect(await allKeys(store, prefix, limit)).toEqual(expected);
      }
      for (const after of ['A', 'a', 'a/', 'a/b', 'a/bzz', 'aa', 'b/', 'mm', 'zz']) {
        const expected = valid.filter((key) => key > after);
        expect((await store.list('', { after })).keys).toEqual(expected);
      }
      const [first] = valid;
      expect(await store.list('', { limit: 1 })).toEqual({ keys: [first], next: first });
      expect((await store.list('', { limit: valid.length })).next).toBeUndefined();
      for (const limit of [0, -1, 1.5]) await expect(store.list('', { limit })).rejects.toThrow(RangeError);
    });

    it('pages through a directory that is wider than a page', async () => {
      const keys = Array.from({ length: 300 }, (_, index) => `wide/${(index * 7919) % 1000}`);
      await Promise.all(keys.map((key) => put(key, 'x')));
      expect(await allKeys(store, 'wide/', 17)).toEqual([...keys].sort());
    });
  });
}
