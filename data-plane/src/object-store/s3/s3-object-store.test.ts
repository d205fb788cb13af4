import { createHash } from 'node:crypto';
import {
  error,
  etag,
  listing,
  object,
  ok,
  partial,
  reset,
  ScriptedS3,
  silence,
  truncated,
  xml,
  type ScriptedAnswer,
} from '../../../test/s3/scripted-s3.js';
import { systemRuntime, type Runtime } from '../../runtime.js';
import { conditionalWrite } from '../../storage/conditional-write.js';
import { OutcomeUnknownError, StoreUnavailableError, type ETag } from '../object-store.js';
import { S3ObjectStore } from './s3-object-store.js';
import type { S3StoreOptions } from './s3-store-options.js';

const absent = { ifAbsent: true } as const;
const unchanged = { ifMatch: '"the-old-one"' as ETag };
const body = Buffer.from('content');
/** Retries without waiting. */
const runtime: Runtime = { ...systemRuntime, sleep: async () => undefined };

let s3: ScriptedS3;
let reports: string[];
const stores: S3ObjectStore[] = [];
beforeEach(async () => {
  s3 = await ScriptedS3.start();
  reports = [];
});
afterEach(async () => {
  for (const store of stores.splice(0)) store.close();
  await s3.stop();
});

function open(options: Partial<S3StoreOptions> = {}): S3ObjectStore {
  const store = new S3ObjectStore(
    {
      bucket: 'bucket',
      keyPrefix: 'some/prefix',
      region: 'eu-west-1',
      endpoint: s3.endpoint,
      credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
      hedgedShare: 0,
      answerTimeoutMs: 60_000,
      ...options,
    },
    runtime,
    (event) => reports.push(event),
  );
  stores.push(store);
  return store;
}

const lines = (): string[] => s3.asked.map(({ line }) => line.replace(/[?&]x-id=\w+/, ''));

describe('a conditional write to S3', () => {
  it('carries its condition, its checksum and its encryption', async () => {
    s3.answer(ok(), ok());
    const store = open({ encryption: { kmsKeyId: 'the-key' }, expectedBucketOwner: '123456789012' });
    expect(await store.put('a/b', body, absent)).toEqual({ won: true, etag });
    expect(await store.put('a/b', body, unchanged)).toEqual({ won: true, etag });
    const digest = createHash('sha256').update(body).digest();
    expect(lines()).toEqual(['PUT /bucket/some/prefix/a/b', 'PUT /bucket/some/prefix/a/b']);
    expect(s3.asked[0]?.body).toEqual(body);
    expect(s3.asked[0]?.headers).toMatchObject({
      'if-none-match': '*',
      'x-amz-checksum-sha256': digest.toString('base64'),
      'x-amz-content-sha256': digest.toString('hex'),
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'the-key',
      'x-amz-server-side-encryption-bucket-key-enabled': 'true',
      'x-amz-expected-bucket-owner': '123456789012',
    });
    expect(s3.asked[0]?.headers).not.toHaveProperty('if-match');
    expect(s3.asked[0]?.headers.authorization).toContain('x-amz-content-sha256');
    expect(s3.asked[1]?.headers).toMatchObject({ 'if-match': unchanged.ifMatch });
    expect(s3.asked[1]?.headers).not.toHaveProperty('if-none-match');
  });

  it.each<[string, ScriptedAnswer, typeof absent | typeof unchanged]>([
    ['412 to create-if-absent', error(412, 'PreconditionFailed'), absent],
    ['412 to replace-if-unchanged', error(412, 'PreconditionFailed'), unchanged],
    ['412 without a code', (response) => response.writeHead(412).end(), unchanged],
    ['404 NoSuchKey to replace-if-unchanged', error(404, 'NoSuchKey'), unchanged],
  ])('is lost after %s', async (_what, answer, condition) => {
    s3.answer(answer);
    expect(await open().put('key', body, condition)).toEqual({ won: false });
    expect(s3.asked).toHaveLength(1);
  });

  it.each<[string, ScriptedAnswer]>([
    ['403', error(403, 'AccessDenied')],
    ['404 NoSuchBucket', error(404, 'NoSuchBucket')],
    ['400 BadDigest', error(400, 'BadDigest')],
    ['400 RequestTimeout, because the body did not come', error(400, 'RequestTimeout')],
    ['301', error(301, 'PermanentRedirect')],
    ['409 of another kind', error(409, 'InvalidBucketState')],
    ['501 NotImplemented', error(501, 'NotImplemented')],
  ])('is certainly not done after %s, and not sent again', async (_what, answer) => {
    s3.answer(answer);
    await expect(open().put('key', body, absent)).rejects.toThrow(StoreUnavailableError);
    expect(s3.asked).toHaveLength(1);
  });

  it('is certainly not done when there is no connection', async () => {
    await s3.stop();
    await expect(open().put('key', body, absent)).rejects.toThrow(StoreUnavailableError);
  });

  it.each<[string, ScriptedAnswer]>([
    ['500', error(500, 'InternalError')],
    ['503 SlowDown', error(503, 'SlowDown')],
    ['503 ServiceUnavailable', error(503, 'ServiceUnavailable')],
    ['502 of a proxy', (response) => response.writeHead(502).end('<html>')],
    ['408 of a proxy', (response) => response.writeHead(408).end()],
    ['a connection that ends without an answer', reset],
    ['an answer without an ETag', (response) => response.writeHead(200).end()],
  ])('has an unknown outcome after %s, and is not sent again', async (_what, answer) => {
    s3.answer(answer);
    await expect(open().put('key', body, absent)).rejects.toThrow(OutcomeUnknownError);
    expect(s3.asked).toHaveLength(1);
  });

  it('has an unknown outcome when no answer comes in time', async () => {
    s3.answer(silence);
    await expect(open({ answerTimeoutMs: 100 }).put('key', body, absent)).rejects.toThrow(/nothing came for 100 ms/);
    s3.answer(silence);
    await expect(open({ answerTimeoutMs: 100 }).put('key', body, absent)).rejects.toThrow(OutcomeUnknownError);
  });

  it('is sent again after a conflict, which is not yet a lost race', async () => {
    const conflict = error(409, 'ConditionalRequestConflict');
    s3.answer(conflict, conflict, ok());
    expect(await open().put('key', body, absent)).toEqual({ won: true, etag });
    s3.answer(error(409, 'OperationAborted'), error(412, 'PreconditionFailed'));
    expect(await open().put('key', body, absent)).toEqual({ won: false });
    expect(s3.asked).toHaveLength(5);
    s3.otherwise(conflict);
    await expect(open().put('key', body, absent)).rejects.toThrow(StoreUnavailableError);
    expect(s3.asked).toHaveLength(5 + 8);
  });

  it('is known to be won when its answer was lost and its bytes are there', async () => {
    s3.answer(reset, object(body));
    expect(await conditionalWrite(runtime, open(), 'key', body, absent)).toEqual({ won: true, etag });
    s3.answer(reset, error(404, 'NoSuchKey'), ok());
    expect(await conditionalWrite(runtime, open(), 'key', body, absent)).toEqual({ won: true, etag });
    s3.answer(error(500, 'InternalError'), object(Buffer.from('other')), error(412, 'PreconditionFailed'));
    s3.answer(object(Buffer.from('other')));
    expect(await conditionalWrite(runtime, open(), 'key', body, absent)).toMatchObject({ won: false });
  });
});

describe('a read from S3', () => {
  it('asks for the checksum and gives the object', async () => {
    s3.answer(object(body));
    expect(await open().get('a/b')).toEqual({ body, etag });
    expect(lines()).toEqual(['GET /bucket/some/prefix/a/b']);
    expect(s3.asked[0]?.headers['x-amz-checksum-mode']).toBe('ENABLED');
  });

  it.each<[string, ScriptedAnswer]>([
    ['500', error(500, 'InternalError')],
    ['503 SlowDown', error(503, 'SlowDown')],
    ['a connection that ends', reset],
    ['a body that ends early', truncated],
    ['a wrong checksum', object(body, createHash('sha256').update('other').digest('base64'))],
    ['an expired token', error(400, 'ExpiredToken')],
  ])('is tried again after %s', async (_what, answer) => {
    s3.answer(answer, answer, object(body));
    expect(await open().get('key')).toEqual({ body, etag });
    expect(s3.asked).toHaveLength(3);
  });

  it('finds nothing only where S3 says that this key is not there', async () => {
    s3.answer(error(404, 'NoSuchKey'));
    expect(await open().get('key')).toBeUndefined();
    for (const answer of [error(404, 'NoSuchBucket'), error(403, 'AccessDenied')]) {
      s3.answer(answer);
      await expect(open().get('key')).rejects.toThrow(StoreUnavailableError);
    }
    s3.answer((response) => response.writeHead(404).end('no such page'));
    await expect(open().get('key')).rejects.toThrow(StoreUnavailableError);
    expect(s3.asked).toHaveLength(4);
  });

  it('reports bytes that never match their checksum as damage', async () => {
    s3.otherwise(object(body, createHash('sha256').update('other').digest('base64')));
    await expect(open().get('key')).rejects.toMatchObject({ code: 'STORE_OBJECT_CORRUPT' });
    expect(s3.asked).toHaveLength(3);
  });

  it('is given up when a slow store is asked in vain too often', async () => {
    s3.otherwise(error(503, 'SlowDown'));
    const store = open();
    for (let read = 0; read < 60; read++) await expect(store.get('key')).rejects.toThrow(StoreUnavailableError);
    expect(s3.asked).toHaveLength(60 + 100);
  });

  it('gives ranges, also of a server that sends something else', async () => {
    const store = open();
    s3.answer(partial('bytes 2-4/10', '234'));
    expect((await store.getRange('key', 2, 3))?.toString()).toBe('234');
    expect(s3.asked[0]?.headers.range).toBe('bytes=2-4');
    s3.answer(error(416, 'InvalidRange'));
    expect(await store.getRange('key', 20, 3)).toEqual(Buffer.alloc(0));
    s3.answer(ok({}, '0123456789'));
    expect((await store.getRange('key', 2, 3))?.toString()).toBe('234');
    s3.answer(error(404, 'NoSuchKey'));
    expect(await store.getRange('key', 2, 3)).toBeUndefined();
    s3.answer(partial('bytes 5-5/10', '5'));
    expect(await store.getRange('key', 5, 0)).toEqual(Buffer.alloc(0));
    s3.otherwise(partial('bytes 0-2/10', '012'));
    await expect(store.getRange('key', 2, 3)).rejects.toThrow(StoreUnavailableError);
  });

  it('takes the answer to a second request when the first one is late', async () => {
    s3.answer(silence, object(body));
    const store = open({ hedgedShare: 1 });
    expect(await store.get('key')).toEqual({ body, etag });
    expect(s3.asked).toHaveLength(2);
  });

  it('ends when its body stops coming', async () => {
    const stalled: ScriptedAnswer = (response) => response.writeHead(200, { etag, 'content-length': 100 }).write('x');
    s3.otherwise(stalled);
    await expect(open({ answerTimeoutMs: 100, readAttempts: 1 }).get('key')).rejects.toThrow(/nothing came/);
  });
});

describe('deleting from S3', () => {
  it('is tried again, and succeeds when there is nothing', async () => {
    s3.answer(error(500, 'InternalError'), (response) => response.writeHead(204).end());
    await open().delete('key');
    expect(lines()).toEqual(['DELETE /bucket/some/prefix/key', 'DELETE /bucket/some/prefix/key']);
    s3.answer(error(404, 'NoSuchKey'));
    await open().delete('key');
    s3.answer(error(404, 'NoSuchBucket'));
    await expect(open().delete('key')).rejects.toThrow(StoreUnavailableError);
  });
});

describe('listing a general purpose bucket', () => {
  it('begins after a key, below the prefix of the store, and goes on where pages are short', async () => {
    const names = ['a', 'b', 'c'].map((key) => `some/prefix/${key}`);
    s3.answer(listing([names[0] as string], 'more'), listing([], 'and more'), listing(names.slice(1)));
    expect(await open().list('', { after: '0' })).toEqual({ keys: ['a', 'b', 'c'] });
    expect(s3.asked[0]?.line).toMatch(/prefix=some%2Fprefix%2F&start-after=some%2Fprefix%2F0/);
    expect(s3.asked[2]?.line).toMatch(/continuation-token=and%20more/);
    s3.answer(listing(names.slice(0, 2), 'more'));
    expect(await open().list('', { limit: 2 })).toEqual({ keys: ['a', 'b'], next: 'b' });
  });
});

describe('an upload in parts', () => {
  const parts = { multipartThresholdBytes: 1_000, partBytes: 5 << 20, parallelParts: 1 };
  const large = Buffer.alloc((5 << 20) + 10, 'x');
  const begun = xml('<InitiateMultipartUploadResult><UploadId>the-upload</UploadId></InitiateMultipartUploadResult>');
  const completed = xml(`<CompleteMultipartUploadResult><ETag>${etag}</ETag></CompleteMultipartUploadResult>`);
  const gone: ScriptedAnswer = (response) => response.writeHead(204).end();

  it('is conditional where it is completed, and there only', async () => {
    s3.answer(begun, error(503, 'SlowDown'), ok(), ok(), completed);
    expect(await open(parts).put('key', large, absent)).toEqual({ won: true, etag });
    expect(lines()).toEqual([
      'POST /bucket/some/prefix/key?uploads=',
      'PUT /bucket/some/prefix/key?partNumber=1&uploadId=the-upload',
      'PUT /bucket/some/prefix/key?partNumber=1&uploadId=the-upload',
      'PUT /bucket/some/prefix/key?partNumber=2&uploadId=the-upload',
      'POST /bucket/some/prefix/key?uploadId=the-upload',
    ]);
    expect(s3.asked.map(({ headers }) => headers['if-none-match'])).toEqual([...Array<undefined>(4), '*']);
    expect(s3.asked[0]?.headers['x-amz-meta-part-bytes']).toBe(String(5 << 20));
  });

  it.each<[string, ScriptedAnswer, unknown]>([
    ['lost', error(412, 'PreconditionFailed'), { won: false }],
    ['lost, said in an answer that began with 200', error(200, 'PreconditionFailed'), { won: false }],
  ])('is %s and aborted', async (_what, answer, result) => {
    s3.answer(begun, ok(), ok(), answer, gone);
    expect(await open(parts).put('key', large, absent)).toEqual(result);
    expect(lines().at(-1)).toBe('DELETE /bucket/some/prefix/key?uploadId=the-upload');
  });

  it.each<[string, ScriptedAnswer]>([
    ['500', error(500, 'InternalError')],
    ['an error in an answer that began with 200', error(200, 'InternalError')],
    ['a lost connection', reset],
  ])('has an unknown outcome when its completion meets %s', async (_what, answer) => {
    s3.answer(begun, ok(), ok(), answer, gone);
    await expect(open(parts).put('key', large, absent)).rejects.toThrow(OutcomeUnknownError);
    expect(s3.asked).toHaveLength(5);
  });

  it('is certainly not done when a part cannot be stored; what cannot be aborted is reported', async () => {
    s3.answer(begun, error(403, 'AccessDenied'), error(403, 'AccessDenied'));
    await expect(open(parts).put('key', large, absent)).rejects.toThrow(StoreUnavailableError);
    expect(reports).toEqual(['an unfinished upload could not be aborted']);
  });
});
