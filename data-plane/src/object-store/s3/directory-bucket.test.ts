import { error, etag, listing, object, ok, ScriptedS3, session } from '../../../test/s3/scripted-s3.js';
import { ManualRuntime } from '../../../test/support/manual-runtime.js';
import { systemRuntime } from '../../runtime.js';
import { StoreUnavailableError } from '../object-store.js';
import { ExpressSessions, type ExpressSession } from './express-sessions.js';
import { S3ObjectStore } from './s3-object-store.js';
import { isDirectoryBucket } from './s3-store-options.js';

const absent = { ifAbsent: true } as const;
const body = Buffer.from('content');

describe('a store in a directory bucket', () => {
  let s3: ScriptedS3;
  let store: S3ObjectStore;
  beforeEach(async () => {
    s3 = await ScriptedS3.start();
    store = new S3ObjectStore(
      {
        bucket: 'log--euw1-az1--x-s3',
        keyPrefix: 'prefix',
        region: 'eu-west-1',
        endpoint: s3.endpoint,
        credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
        encryption: { kmsKeyId: 'the-key' },
        hedgedShare: 0,
        answerTimeoutMs: 60_000,
      },
      { ...systemRuntime, sleep: async () => undefined },
      () => undefined,
    );
  });
  afterEach(async () => {
    store.close();
    await s3.stop();
  });
  const tokens = (): unknown[] => s3.asked.map(({ headers }) => headers['x-amz-s3session-token']);

  it('opens one session, which names the key, and signs with it', async () => {
    s3.answer(session('one'), ok(), object(body));
    expect(await store.put('key', body, absent)).toEqual({ won: true, etag });
    expect(await store.get('key')).toEqual({ body, etag });
    // With an address as endpoint the bucket stands in the path, which no real directory bucket's does.
    expect(s3.asked.map(({ line }) => line.replace(/[?&]x-id=\w+/, '').replace('//', '/'))).toEqual([
      'GET /log--euw1-az1--x-s3/?session=',
      'PUT /log--euw1-az1--x-s3/prefix/key',
      'GET /log--euw1-az1--x-s3/prefix/key',
    ]);
    expect(tokens()).toEqual([undefined, 'one', 'one']);
    expect(s3.asked[0]?.headers).toMatchObject({ 'x-amz-server-side-encryption-aws-kms-key-id': 'the-key' });
    expect(s3.asked[1]?.headers).not.toHaveProperty('x-amz-server-side-encryption');
    expect(s3.asked[1]?.headers).toMatchObject({ 'if-none-match': '*' });
    expect(s3.asked[1]?.headers.authorization).toContain('key-one');
  });

  it('has certainly not written when no session could be opened, and opens one for the next write', async () => {
    s3.answer(error(503, 'SlowDown'), session('two'), ok());
    await expect(store.put('key', body, absent)).rejects.toThrow(StoreUnavailableError);
    expect(await store.put('key', body, absent)).toEqual({ won: true, etag });
    expect(tokens()).toEqual([undefined, undefined, 'two']);
  });

  it('opens another session when one is refused', async () => {
    s3.answer(session('one'), error(400, 'ExpiredToken'), session('two'), object(body));
    expect(await store.get('key')).toEqual({ body, etag });
    s3.answer(error(403, 'InvalidToken'), session('three'), ok());
    await expect(store.put('key', body, absent)).rejects.toThrow(StoreUnavailableError);
    expect(await store.put('key', body, absent)).toEqual({ won: true, etag });
    expect(tokens()).toEqual([undefined, 'one', undefined, 'two', 'two', undefined, 'three']);
  });

  it('lists in byte order, whatever the order of the bucket, and asks only what directory buckets know', async () => {
    const names = ['nodes/c', 'nodes/a', 'nodes/B', 'nodes/aa', 'nodes/b'].map((key) => `prefix/${key}`);
    const pages = [listing(names.slice(0, 2), 'more'), listing(names.slice(2))];
    s3.answer(session('one'), ...pages, ...pages, ...pages);
    expect(await store.list('nodes/')).toEqual({
      keys: ['nodes/B', 'nodes/a', 'nodes/aa', 'nodes/b', 'nodes/c'],
    });
    expect(await store.list('nodes/a', { limit: 1 })).toEqual({ keys: ['nodes/a'], next: 'nodes/a' });
    expect(await store.list('nodes/', { after: 'nodes/a', limit: 2 })).toEqual({
      keys: ['nodes/aa', 'nodes/b'],
      next: 'nodes/b',
    });
    const listings = s3.asked.slice(1).map(({ line }) => new URL(line.split(' ')[1] as string, s3.endpoint));
    expect(listings.map(({ searchParams }) => searchParams.get('prefix'))).toEqual(
      Array<string>(6).fill('prefix/nodes/'),
    );
    expect(listings.some(({ searchParams }) => searchParams.has('start-after'))).toBe(false);
  });
});

describe('which buckets are directory buckets', () => {
  it.each([
    ['log--euw1-az1--x-s3', true],
    ['log--usw2-lax1-az1--x-s3', true],
    ['log--x-s3', false],
    ['log-x-s3', false],
    ['log--euw1-az1--x-s3-more', false],
  ])('%s: %s', (bucket, expected) => expect(isDirectoryBucket(bucket)).toBe(expected));
});

describe('the session of a directory bucket', () => {
  const minute = 60_000;
  let runtime: ManualRuntime;
  let opened: number;
  let failing: boolean;
  let failures: unknown[];
  let sessions: ExpressSessions;
  beforeEach(() => {
    runtime = new ManualRuntime();
    opened = 0;
    failing = false;
    failures = [];
    sessions = new ExpressSessions(
      runtime,
      async (): Promise<ExpressSession> => {
        opened += 1;
        const number = opened;
        await runtime.sleep(100);
        if (failing) throw new Error('no session');
        const expiration = new Date(runtime.nowMs() + 5 * minute);
        return { accessKeyId: `key ${number}`, secretAccessKey: 's', sessionToken: 't', expiration };
      },
      (error) => failures.push(error),
    );
  });
  const identity = async (accessKeyId = 'mine'): Promise<string> => {
    const asked = sessions.getS3ExpressIdentity({ accessKeyId });
    asked.catch(() => undefined);
    await runtime.advance(100);
    return (await asked).accessKeyId;
  };

  it('is opened once for all that wait for it', async () => {
    expect(await Promise.all([identity(), identity(), identity()])).toEqual(['key 1', 'key 1', 'key 1']);
    await runtime.advance(3 * minute);
    expect(await identity()).toBe('key 1');
    expect(opened).toBe(1);
  });

  it('is refreshed in the background before it ends', async () => {
    await identity();
    await runtime.advance(4 * minute);
    expect(await identity()).toBe('key 1');
    expect(await identity()).toBe('key 2');
    expect(opened).toBe(2);
  });

  it('stays in use while refreshing it fails, and not longer', async () => {
    await identity();
    await runtime.advance(4 * minute);
    failing = true;
    expect(await identity()).toBe('key 1');
    expect(await identity()).toBe('key 1');
    expect(failures).toHaveLength(1);
    await runtime.advance(minute);
    await expect(identity()).rejects.toThrow('no session');
    failing = false;
    expect(await identity()).toBe(`key ${opened}`);
  });

  it('is another one for other credentials', async () => {
    expect(await identity('mine')).toBe('key 1');
    expect(await identity('rotated')).toBe('key 2');
    expect(await identity('rotated')).toBe('key 2');
  });

  it('that was opened for credentials that are gone is not kept', async () => {
    const late = sessions.getS3ExpressIdentity({ accessKeyId: 'old' });
    const current = sessions.getS3ExpressIdentity({ accessKeyId: 'new' });
    await runtime.advance(100);
    expect([(await late).accessKeyId, (await current).accessKeyId]).toEqual(['key 1', 'key 2']);
    expect(await identity('new')).toBe('key 2');
  });
});
