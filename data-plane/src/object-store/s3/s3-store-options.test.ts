import { systemRuntime } from '../../runtime.js';
import { S3ObjectStore } from './s3-object-store.js';
import { maxKeyPrefixBytes, resolveS3Options, type S3StoreOptions } from './s3-store-options.js';

const good: S3StoreOptions = { bucket: 'bucket', keyPrefix: 'deployment/data' };

describe('the options of a store in S3', () => {
  it('have defaults', () => {
    expect(resolveS3Options(good)).toMatchObject({ ...good, maxConnections: 64, readAttempts: 3, hedgedShare: 0.05 });
  });

  it.each<[string, Partial<S3StoreOptions>]>([
    ['no prefix', { keyPrefix: '' }],
    ['a prefix that begins with a slash', { keyPrefix: '/data' }],
    ['a prefix that ends in a slash', { keyPrefix: 'data/' }],
    ['a prefix with an empty segment', { keyPrefix: 'a//b' }],
    ['a prefix that leads elsewhere', { keyPrefix: 'a/../b' }],
    ['a prefix with a character that needs encoding', { keyPrefix: 'a b' }],
    ['a prefix that leaves no room for keys', { keyPrefix: 'x'.repeat(maxKeyPrefixBytes + 1) }],
    ['no bucket', { bucket: '' }],
    ['what is no bucket', { bucket: 'Bucket/key' }],
    ['what is no account', { expectedBucketOwner: '12345' }],
    ['small parts', { partBytes: 1_000 }],
    ['more hedged reads than reads', { hedgedShare: 2 }],
  ])('refuse %s', (_what, wrong) => {
    const make = (): S3ObjectStore => new S3ObjectStore({ ...good, ...wrong }, systemRuntime, () => undefined);
    expect(make).toThrow(expect.objectContaining({ code: 'STORE_MISCONFIGURED' }));
  });
});
