import fc from 'fast-check';
import { databaseAddress, parseRequestTarget } from './request-target.js';

const address = (target: string, host?: string) => databaseAddress(parseRequestTarget(target), host);
const shop = { database: 'shop', organization: 'acme' };

describe('parseRequestTarget', () => {
  it.each([
    ['/v2/pipeline', '/v2/pipeline', '', undefined],
    ['//v2///pipeline//', '/v2/pipeline', '', undefined],
    ['/v2/pipeline/?authToken=x&y=//', '/v2/pipeline', '?authToken=x&y=//', undefined],
    ['/db/shop-acme/v2/pipeline', '/v2/pipeline', '', 'shop-acme'],
    ['//db//shop-acme//v2//pipeline/', '/v2/pipeline', '', 'shop-acme'],
    ['/db/shop-acme', '/', '', 'shop-acme'],
    ['/db/shop-acme/', '/', '', 'shop-acme'],
    ['/db/shop-acme?x', '/', '?x', 'shop-acme'],
    ['/db', '/db', '', undefined],
    ['/db/', '/', '', ''],
    ['/dbs/x', '/dbs/x', '', undefined],
    ['/', '/', '', undefined],
    ['', '', '', undefined],
    ['*', '*', '', undefined],
  ])('takes %j apart', (target, path, query, label) => {
    expect(parseRequestTarget(target)).toEqual({ path, query, label, authority: undefined });
  });

  it.each([
    ['http://shop-acme.example:80/v2', '/v2', 'shop-acme.example:80'],
    ['HTTPS://shop-acme.example', '/', 'shop-acme.example'],
    ['http://shop-acme.example?x', '/', 'shop-acme.example'],
  ])('takes the absolute form %j apart', (target, path, authority) => {
    expect(parseRequestTarget(target)).toMatchObject({ path, authority });
  });

  it('gives a path that starts with one slash for any target that does', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('/', 'db', 'a-b', '?', '%', '.', '..', '#', ':', '\\')), (parts) => {
        const { path } = parseRequestTarget(`/${parts.join('')}`);
        expect(path).toMatch(/^\/(?:[^/?]+(?:\/[^/?]+)*)?$/);
      }),
    );
  });
});

describe('databaseAddress', () => {
  it.each([
    ['the host', '/v2', 'shop-acme.db.example.com'],
    ['the host with a port', '/v2', 'shop-acme.localhost:8080'],
    ['the host in capitals', '/v2', 'SHOP-ACME.Example'],
    ['the path', '/db/shop-acme/v2', undefined],
    ['the path before the host', '/db/shop-acme/v2', 'wiki-acme.example'],
    ['the absolute form before the host', 'http://shop-acme.example/v2', 'wiki-acme.example'],
  ])('comes from %s', (_what, target, host) => {
    expect(address(target, host)).toEqual(shop);
  });

  it.each([
    undefined,
    '',
    'localhost:8080',
    'shop-acme',
    'shop-acme:80',
    '127.0.0.1:80',
    '[::1]:80',
    '.example',
    'a.b',
    '-acme.x',
    'sh_op-acme.x',
  ])('is not in the host %j', (host) => {
    expect(address('/v2', host)).toBeUndefined();
  });

  it.each(['/db/SHOP-acme/v2', '/db/shop/v2', '/db/', '/db/shop%2Dacme/v2', '/db/../v2'])(
    'is not made up from the host when the path %j names none',
    (target) => {
      expect(address(target, 'shop-acme.example')).toBeUndefined();
    },
  );
});
