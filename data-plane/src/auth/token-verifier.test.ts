import { createHmac, sign } from 'node:crypto';
import fc from 'fast-check';
import { SignJWT, generateKeyPair } from 'jose';
import pino from 'pino';
import { ManualRuntime } from '../../test/support/manual-runtime.js';
import { keySetBytes, tokenIssuer } from '../../test/support/token-issuer.js';
import { isByocError } from '../errors/catalogue.js';
import type { ETag } from '../object-store/object-store.js';
import { databaseTokenAudience, platformTokenAudience } from './claims.js';
import { PublishedRules } from './published-rules.js';
import { maxTokenLength, TokenVerifier } from './token-verifier.js';
import { VerificationKeys } from './verification-keys.js';

const id = '11111111-1111-4111-8111-111111111111';
const gid = '22222222-2222-4222-8222-222222222222';
const issuer = tokenIssuer('key-1');

async function verifier(cacheLimits?: { maxTokens: number; maxBytes: number }) {
  const runtime = new ManualRuntime();
  const published = { body: keySetBytes(1, issuer) };
  const keys = new VerificationKeys({
    store: { get: async () => ({ body: published.body, etag: 'e' as ETag }) },
    rules: new PublishedRules({ get: async () => undefined }),
    runtime,
    log: pino({ level: 'silent' }),
  });
  await keys.start();
  await runtime.advance(1_000);
  const tokens = new TokenVerifier({ keys, runtime, ...(cacheLimits === undefined ? {} : { cacheLimits }) });
  return { tokens, runtime, keys, published, nowSeconds: () => Math.floor(runtime.nowMs() / 1000) };
}

const segment = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
/** A compact JWS whose header a library would refuse to write. */
function signedByHand(header: object): string {
  const text = `${segment(header)}.${segment(claims)}`;
  return `${text}.${sign(null, Buffer.from(text), issuer.privateKey).toString('base64url')}`;
}
const claims = { aud: databaseTokenAudience, iat: 1, jti: 'j', a: 'rw', id };

describe('TokenVerifier', () => {
  it('gives the claims of a good token, and nothing else that it carries', async () => {
    const { tokens, nowSeconds } = await verifier();
    const exp = nowSeconds() + 60;
    expect(await tokens.verify(await issuer.sign({ id, exp, extra: 1, jti: 'x' }))).toEqual({
      aud: databaseTokenAudience,
      iat: 1_700_000_000,
      exp,
      jti: 'x',
      a: 'rw',
      id,
    });
    expect(await tokens.verify(await issuer.sign({ gid, a: 'ro' }))).toMatchObject({ gid, a: 'ro' });
    expect(await tokens.verify(signedByHand({ alg: 'EdDSA', kid: 'key-1' }))).toMatchObject({ id });
  });

  it.each<[string, () => string | Promise<string>]>([
    ['garbage', () => 'garbage'],
    ['two segments', () => 'a.b'],
    ['five segments', () => 'a.b.c.d.e'],
    ['a header that is no JSON', async () => `!!.${(await issuer.sign({ id })).split('.').slice(1).join('.')}`],
    ['alg none, unsigned', () => `${segment({ alg: 'none', kid: 'key-1' })}.${segment(claims)}.`],
    ['alg None, unsigned', () => `${segment({ alg: 'None', kid: 'key-1' })}.${segment(claims)}.`],
    [
      'HS256 with the public key as the secret',
      () => {
        const text = `${segment({ alg: 'HS256', kid: 'key-1' })}.${segment(claims)}`;
        const secret = Buffer.from(issuer.published.publicKey, 'base64url');
        return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
      },
    ],
    [
      'RS256 under the id of a published key',
      async () => {
        const { privateKey } = await generateKeyPair('RS256');
        return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'key-1' }).sign(privateKey);
      },
    ],
    ['no kid', () => issuer.sign({ id }, { kid: undefined as unknown as string })],
    ['a kid that is no text', () => issuer.sign({ id }, { kid: 1 as unknown as string })],
    ['an unknown kid', () => issuer.sign({ id }, { kid: 'other' })],
    ['a kid from the prototype', () => issuer.sign({ id }, { kid: '__proto__' })],
    ['a foreign key under a known kid', () => tokenIssuer('key-1').sign({ id })],
    ['a critical header that nobody knows', () => signedByHand({ alg: 'EdDSA', kid: 'key-1', crit: ['x'], x: 1 })],
    ['a good signature under alg none', () => signedByHand({ alg: 'none', kid: 'key-1' })],
    ['a good signature without alg', () => signedByHand({ kid: 'key-1' })],
    ['a good signature under a list of algs', () => signedByHand({ alg: ['EdDSA'], kid: 'key-1' })],
    ['a detached payload', () => signedByHand({ alg: 'EdDSA', kid: 'key-1', b64: false, crit: ['b64'] })],
    ['no signature', async () => `${(await issuer.sign({ id })).split('.').slice(0, 2).join('.')}.`],
    [
      'claims changed after signing',
      async () => {
        const [header, , signature] = (await issuer.sign({ id })).split('.');
        return `${header}.${segment({ ...claims, id: gid })}.${signature}`;
      },
    ],
    ['a token for the platform', () => issuer.sign({ id, aud: platformTokenAudience })],
    ['a list of audiences', () => issuer.sign({ id, aud: [databaseTokenAudience, platformTokenAudience] })],
    ['no audience', () => issuer.sign({ id, aud: undefined as unknown as string })],
    ['neither database nor group', () => issuer.sign({})],
    ['both database and group', () => issuer.sign({ id, gid })],
    ['an id that is no UUID', () => issuer.sign({ id: 'shop' })],
    ['an id that is a list', () => issuer.sign({ id: [id] })],
    ['a null id beside a group', () => issuer.sign({ id: null, gid })],
    ['an empty group', () => issuer.sign({ gid: '' })],
    ['an unknown access', () => issuer.sign({ id, a: 'rwx' })],
    ['no access', () => issuer.sign({ id, a: undefined })],
    ['no token id', () => issuer.sign({ id, jti: '' })],
    ['no issue time', () => issuer.sign({ id, iat: undefined as unknown as number })],
    ['an expiry that is text', () => issuer.sign({ id, exp: '9999999999' as unknown as number })],
    ['a fractional expiry', () => issuer.sign({ id, exp: 9_999_999_999.5 })],
    ['a not-before that is text', () => issuer.sign({ id, nbf: '1' as unknown as number })],
    ['too long a token', () => issuer.sign({ id, pad: 'x'.repeat(maxTokenLength) })],
  ])('refuses %s', async (_what, token) => {
    const { tokens, runtime } = await verifier();
    const refused = expect(tokens.verify(await token())).rejects.toMatchObject({
      code: 'AUTH_JWT_INVALID',
      status: 401,
    });
    await runtime.advance(2_000);
    await refused;
  });

  it('checks the time at every use, without leeway', async () => {
    const { tokens, runtime, nowSeconds } = await verifier();
    const token = await issuer.sign({ id, exp: nowSeconds() + 10 });
    await tokens.verify(token);
    await runtime.advance(9_999);
    await tokens.verify(token);
    await runtime.advance(1);
    await expect(tokens.verify(token)).rejects.toMatchObject({ code: 'AUTH_JWT_EXPIRED' });
    const old = await issuer.sign({ id, exp: nowSeconds() - 1 });
    await expect(tokens.verify(old)).rejects.toMatchObject({ code: 'AUTH_JWT_EXPIRED' });
  });

  it('refuses a token before its time', async () => {
    const { tokens, runtime, nowSeconds } = await verifier();
    const token = await issuer.sign({ id, nbf: nowSeconds() + 5 });
    await expect(tokens.verify(token)).rejects.toMatchObject({ code: 'AUTH_JWT_IMMATURE' });
    await runtime.advance(5_000);
    expect(await tokens.verify(token)).toMatchObject({ id });
  });

  it('drops a token when its key leaves the set, within ten seconds, and takes it back with the key', async () => {
    const { tokens, runtime, published } = await verifier();
    const token = await issuer.sign({ id });
    await tokens.verify(token);
    published.body = keySetBytes(2, tokenIssuer('key-2'));
    await runtime.advance(10_001);
    const refused = expect(tokens.verify(token)).rejects.toMatchObject({ code: 'AUTH_JWT_INVALID' });
    await runtime.advance(2_000);
    await refused;
    published.body = keySetBytes(3, issuer);
    const accepted = tokens.verify(token);
    await runtime.advance(2_000);
    expect(await accepted).toMatchObject({ id });
  });

  it('checks a signature once however many requests bring the token, and again when it fell out of the cache', async () => {
    const { tokens, keys } = await verifier({ maxTokens: 1, maxBytes: 1e6 });
    let searches = 0;
    const find = keys.find.bind(keys);
    keys.find = async (kid) => {
      searches += 1;
      return find(kid);
    };
    const [first, second] = [await issuer.sign({ id }), await issuer.sign({ gid })];
    await Promise.all(Array.from({ length: 50 }, () => tokens.verify(first)));
    for (let n = 0; n < 50; n += 1) await tokens.verify(first);
    expect(searches).toBe(1);
    await tokens.verify(second);
    await tokens.verify(first);
    expect(searches).toBe(3);
  });

  it('judges a known token without waiting, while the key set is fresh and holds its key', async () => {
    const { tokens, runtime, published, nowSeconds } = await verifier();
    const token = await issuer.sign({ id, exp: nowSeconds() + 60 });
    expect(tokens.verifyKnown(token)).toBeUndefined();
    await tokens.verify(token);
    expect(tokens.verifyKnown(token)).toMatchObject({ id });
    await runtime.advance(5_000);
    expect(tokens.verifyKnown(token)).toBeUndefined();
    // The set is read again by whoever waits, and is fresh then.
    await tokens.verify(token);
    await runtime.advance(10);
    expect(tokens.verifyKnown(token)).toMatchObject({ id });
    published.body = keySetBytes(2, tokenIssuer('key-2'));
    await runtime.advance(5_000);
    await tokens.verify(token).catch(() => undefined);
    await runtime.advance(10);
    expect(tokens.verifyKnown(token)).toBeUndefined();
  });

  it('judges the time of a known token at every use', async () => {
    const { tokens, runtime, nowSeconds } = await verifier();
    const token = await issuer.sign({ id, exp: nowSeconds() + 2 });
    await tokens.verify(token);
    await runtime.advance(2_000);
    expect(() => tokens.verifyKnown(token)).toThrow(expect.objectContaining({ code: 'AUTH_JWT_EXPIRED' }));
  });

  it('answers any text with an error of the catalogue', async () => {
    const { tokens, runtime } = await verifier();
    const good = await issuer.sign({ id });
    const anyHeader = fc
      .json()
      .map((header) => `${Buffer.from(header).toString('base64url')}.${good.split('.').slice(1).join('.')}`);
    const damaged = fc
      .tuple(fc.nat(good.length - 1), fc.base64String({ minLength: 4 }))
      .map(([at, text]) => good.slice(0, at) + text + good.slice(at + text.length));
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), anyHeader, damaged), async (token) => {
        fc.pre(token !== good);
        const outcome = tokens.verify(token).then(
          () => 'accepted',
          (error: unknown) => isByocError(error, 'AUTH_JWT_INVALID'),
        );
        await runtime.advance(1_000);
        expect(await outcome).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});
