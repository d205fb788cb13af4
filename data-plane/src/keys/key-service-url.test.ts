import { describeKeyService, KeyServiceUrlError, parseKeyServiceUrl } from './key-service-url.js';

const arn = 'arn:aws:kms:eu-west-1:111122223333:key/0f6a8b0e-5a2f-4b6c-9c3e-0d9f5c1f2a3b';

describe('the URL of a key service', () => {
  it('names a key, and where it is', () => {
    expect(parseKeyServiceUrl(`kms:${arn}`)).toEqual({ kind: 'kms', options: { keyId: arn, region: 'eu-west-1' } });
    expect(
      parseKeyServiceUrl('kms:alias/turso?region=eu-central-1&endpoint=http%3A%2F%2Fkms%3A80', 'http://other'),
    ).toEqual({ kind: 'kms', options: { keyId: 'alias/turso', region: 'eu-central-1', endpoint: 'http://kms:80' } });
    expect(parseKeyServiceUrl('kms:alias/turso', 'http://other')).toEqual({
      kind: 'kms',
      options: { keyId: 'alias/turso', endpoint: 'http://other' },
    });
    expect(parseKeyServiceUrl('file:///var/lib/keys/')).toEqual({ kind: 'file', directory: '/var/lib/keys' });
  });

  it('is described in one line', () => {
    expect(describeKeyService(parseKeyServiceUrl('kms:alias/a?region=eu-west-1&endpoint=http://k'))).toBe(
      'kms:alias/a in eu-west-1 at http://k',
    );
    expect(describeKeyService(parseKeyServiceUrl('file:///keys'))).toBe('file:///keys');
  });

  it.each([
    ['keys', /not a URL/],
    ['s3://bucket', /neither kms: nor file:/],
    ['kms://alias/turso', /no slashes/],
    ['kms:turso', /no ARN/],
    ['kms:', /no ARN/],
    [`kms:${arn}?region=us-east-1`, /region eu-west-1.*us-east-1/],
    ['kms:alias/a?region=', /must stand once/],
    ['kms:alias/a?region=a&region=b', /must stand once/],
    ['kms:alias/a?region=not+a+region', /not the name of a region/],
    ['kms:alias/a?profile=x', /no parameter/],
    ['kms:alias/a?endpoint=ftp://x', /http or https/],
    ['kms:alias/a?endpoint=http://me:secret@x', /credentials do not belong/],
    ['kms:alias/a#b', /"#"/],
    ['file:///', /directory/],
    ['file:///keys?a=b', /no parameters/],
    ['file://keys', /three slashes/],
  ])('%s is refused', (url, message) => {
    expect(() => parseKeyServiceUrl(url)).toThrow(KeyServiceUrlError);
    expect(() => parseKeyServiceUrl(url)).toThrow(message);
    expect(() => parseKeyServiceUrl(url)).not.toThrow(/secret/);
  });
});
