import { describeStore, parseStoreUrl } from './store-url.js';

describe('the URL of a store', () => {
  it('names a directory', () => {
    expect(parseStoreUrl('file:///var/lib/store/', 'data')).toEqual({ kind: 'file', directory: '/var/lib/store' });
    expect(parseStoreUrl('file:///a%20b', 'data')).toEqual({ kind: 'file', directory: '/a b' });
  });

  it('names a bucket, a prefix and how to reach them', () => {
    const url =
      's3://bucket/team/data?region=eu-west-1&endpoint=http://127.0.0.1:9000&pathStyle=false' +
      '&kmsKeyId=arn:aws:kms:eu-west-1:123456789012:key/k&bucketKey=false&expectedBucketOwner=123456789012';
    expect(parseStoreUrl(url, 'data')).toEqual({
      kind: 's3',
      options: {
        bucket: 'bucket',
        keyPrefix: 'team/data',
        region: 'eu-west-1',
        endpoint: 'http://127.0.0.1:9000',
        pathStyle: false,
        encryption: { kmsKeyId: 'arn:aws:kms:eu-west-1:123456789012:key/k', bucketKey: false },
        expectedBucketOwner: '123456789012',
      },
    });
  });

  it('without a path has the prefix of its purpose, never none', () => {
    for (const url of ['s3://bucket', 's3://bucket/']) {
      expect(parseStoreUrl(url, 'log')).toMatchObject({ options: { bucket: 'bucket', keyPrefix: 'log' } });
    }
  });

  it('takes the endpoint of the environment only when it names none', () => {
    const options = (url: string): unknown => parseStoreUrl(url, 'log', 'http://default');
    expect(options('s3://bucket')).toMatchObject({ options: { endpoint: 'http://default' } });
    expect(options('s3://bucket?endpoint=http://own')).toMatchObject({ options: { endpoint: 'http://own' } });
  });

  it.each([
    ['bucket/prefix', /not a URL/],
    ['https://bucket/prefix', /neither file: nor s3:/],
    ['file://host/directory', /three slashes/],
    ['file:///', /does not name a directory/],
    ['file:///a?region=b', /no parameters/],
    ['s3://key:secret@bucket/prefix', /credentials do not belong/],
    ['s3://bucket:80/prefix', /no port/],
    ['s3://bucket/prefix?regoin=b', /"regoin" is no parameter/],
    ['s3://bucket/prefix?region=', /must stand once, with a value/],
    ['s3://bucket/prefix?region=a&region=b', /must stand once/],
    ['s3://bucket/prefix?pathStyle=yes', /true or false/],
    ['s3://bucket/prefix?bucketKey=true', /needs "kmsKeyId"/],
    ['s3://bucket/prefix?endpoint=localhost', /not an http or https URL/],
    ['s3://bucket/prefix#part', /"#"/],
  ])('%s is refused', (url, message) => {
    expect(() => parseStoreUrl(url, 'data')).toThrow(message);
  });

  it('is described in one line', () => {
    expect(describeStore(parseStoreUrl('s3://bucket/a?endpoint=http://e', 'data'))).toBe('s3://bucket/a at http://e');
    expect(describeStore(parseStoreUrl('file:///a/b', 'data'))).toBe('file:///a/b');
  });
});
