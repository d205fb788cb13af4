import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT } from 'jose';
import pino from 'pino';
import { ManualRuntime } from '../../test/support/manual-runtime.js';
import { IssuerKeys, isOutside, parseKeySet } from './issuer-keys.js';
import { IssuerTokens } from './issuer-tokens.js';

const id = '11111111-1111-4111-8111-111111111111';

interface Pair {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: KeyObject;
  readonly jwk: object;
}

function pair(kid: string, alg = 'RS256'): Pair {
  const made =
    alg === 'EdDSA'
      ? generateKeyPairSync('ed25519')
      : alg === 'ES256'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    kid,
    alg,
    privateKey: made.privateKey,
    jwk: { ...made.publicKey.export({ format: 'jwk' }), kid, use: 'sig' },
  };
}

describe('key sets of issuers, from a real server', () => {
  let server: Server;
  let origin = '';
  let fetches = 0;
  let answer: { status: number; body: string; headers?: Record<string, string> } = { status: 200, body: '' };
  const [first, second, elliptic, edwards] = [pair('a'), pair('b'), pair('e', 'ES256'), pair('d', 'EdDSA')];

  beforeAll(async () => {
    server = createServer((_request, response) => {
      fetches += 1;
      response.writeHead(answer.status, answer.headers).end(answer.body);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server.close());
  beforeEach(() => {
    fetches = 0;
    serve(first, elliptic, edwards);
  });

  const serve = (...pairs: Pair[]): void => {
    answer = { status: 200, body: JSON.stringify({ keys: pairs.map(({ jwk }) => jwk) }) };
  };
  const setUp = (allowed: string[] = [origin]) => {
    const runtime = new ManualRuntime();
    const keys = new IssuerKeys({ allowedOrigins: allowed, runtime, log: pino({ level: 'silent' }) });
    const issuers = [{ url: `${origin}/keys` }];
    const tokens = new IssuerTokens({ keys, runtime });
    const now = Math.floor(runtime.nowMs() / 1000);
    const sign = async (by: Pair, claims: Record<string, unknown> = {}, header: object = {}): Promise<string> =>
      new SignJWT({ id, exp: now + 3600, ...claims })
        .setProtectedHeader({ alg: by.alg, kid: by.kid, ...header })
        .sign(by.privateKey);
    return { runtime, tokens, issuers, sign, now };
  };
  const codeOf = async (verifying: Promise<unknown>): Promise<string> =>
    verifying.then(
      () => 'works',
      (error: unknown) => (error as { code: string }).code,
    );

  it.each([first, elliptic, edwards])('verify tokens, $alg', async (by) => {
    const { tokens, issuers, sign } = setUp();
    const claims = await tokens.verify(await sign(by, { a: 'ro', p: [{ t: ['x'], a: ['data_read'] }] }), issuers);
    expect(claims).toMatchObject({ id, a: 'ro', isOutside: true, p: [{ t: ['x'], a: ['data_read'] }] });
    expect(fetches).toBe(1);
  });

  it('are fetched once for many tokens, and again for a key that is new, not for every unknown one', async () => {
    const { tokens, issuers, sign, runtime } = setUp();
    for (let n = 0; n < 5; n += 1) await tokens.verify(await sign(first, { jti: String(n) }), issuers);
    expect(fetches).toBe(1);
    for (let n = 0; n < 5; n += 1)
      expect(await codeOf(tokens.verify(await sign(second, { jti: `x${n}` }), issuers))).toBe('AUTH_JWT_INVALID');
    expect(fetches).toBe(1);
    serve(first, second);
    await runtime.advance(10_000);
    expect(await codeOf(tokens.verify(await sign(second), issuers))).toBe('works');
    expect(fetches).toBe(2);
  });

  it('that an issuer has taken back open nothing after five and a half minutes', async () => {
    const { tokens, issuers, sign, runtime } = setUp();
    const token = await sign(first);
    await tokens.verify(token, issuers);
    serve(second);
    await runtime.advance(299_000);
    expect(await codeOf(tokens.verify(token, issuers))).toBe('works');
    await runtime.advance(31_000);
    expect(await codeOf(tokens.verify(token, issuers))).toBe('AUTH_JWT_INVALID');
  });

  it('stay in use for half an hour while the issuer does not answer', async () => {
    const { tokens, issuers, sign, runtime } = setUp();
    const token = await sign(first, { exp: 9_999_999_999 });
    await tokens.verify(token, issuers);
    answer = { status: 500, body: '' };
    await runtime.advance(1_700_000);
    expect(await codeOf(tokens.verify(token, issuers))).toBe('works');
    await runtime.advance(200_000);
    expect(await codeOf(tokens.verify(token, issuers))).toBe('AUTH_KEYS_UNAVAILABLE');
  });

  it.each<[string, () => void]>([
    ['a redirect', () => (answer = { status: 302, body: '', headers: { location: 'http://169.254.169.254/' } })],
    ['what is no JSON', () => (answer = { status: 200, body: '<html>' })],
    ['what is no key set', () => (answer = { status: 200, body: '{"keys":{}}' })],
    ['what is too long', () => (answer = { status: 200, body: `{"keys":[${' '.repeat(300_000)}]}` })],
    ['too many keys', () => (answer = { status: 200, body: `{"keys":[${Array(101).fill('{}').join()}]}` })],
  ])('are not taken from %s', async (_what, arrange) => {
    arrange();
    const { tokens, issuers, sign } = setUp();
    expect(await codeOf(tokens.verify(await sign(first), issuers))).toBe('AUTH_KEYS_UNAVAILABLE');
    expect(fetches).toBe(1);
  });

  it('are fetched from origins that the operator named, and from no other', async () => {
    const named = setUp(['https://id.example.com', origin.replace('http:', 'https:'), `${origin}0`]);
    expect(await codeOf(named.tokens.verify(await named.sign(first), named.issuers))).toBe('AUTH_KEYS_UNAVAILABLE');
    // A name that leads to this machine is not followed, although the name is on the list.
    const local = origin.replace('127.0.0.1', 'localhost');
    const misled = setUp([local]);
    expect(await codeOf(misled.tokens.verify(await misled.sign(first), [{ url: `${local}/keys` }]))).toBe(
      'AUTH_KEYS_UNAVAILABLE',
    );
    for (const url of [`${origin}@evil.example/keys`, 'file:///etc/passwd', 'nonsense']) {
      const { tokens, sign } = setUp();
      expect(await codeOf(tokens.verify(await sign(first), [{ url }]))).toBe('AUTH_KEYS_UNAVAILABLE');
    }
    expect(fetches).toBe(0);
  });

  it.each([
    '127.0.0.1',
    '0.0.0.0',
    '169.254.169.254',
    '::1',
    '::',
    'fe80::1',
    '::ffff:127.0.0.1',
    'fd00:ec2::254',
    '224.0.0.1',
    'x',
  ])('never lead to %s', (address) => expect(isOutside(address)).toBe(false));
  it.each(['10.0.0.1', '8.8.8.8', '2606:4700::1'])('may lead to %s', (address) =>
    expect(isOutside(address)).toBe(true),
  );

  it('have only keys that sign, and nothing private of them', () => {
    const keys = [
      { ...first.jwk, d: 'secret' },
      { kty: 'oct', kid: 'o', k: 'AAAA' },
      { ...second.jwk, use: 'enc' },
      'x',
      null,
      { kty: 'RSA' },
    ];
    const parsed = parseKeySet(Buffer.from(JSON.stringify({ keys })));
    expect([...parsed.keys()]).toEqual(['a']);
    expect(parsed.get('a')).not.toHaveProperty('d');
  });

  it('refuse tokens that are out of their time, unbounded, or for nothing', async () => {
    const { tokens, issuers, sign, now } = setUp();
    const cases: [Record<string, unknown>, string][] = [
      [{ exp: now - 1 }, 'AUTH_JWT_EXPIRED'],
      [{ nbf: now + 60 }, 'AUTH_JWT_IMMATURE'],
      [{ exp: undefined }, 'AUTH_JWT_INVALID'],
      [{ id: undefined }, 'AUTH_JWT_INVALID'],
      [{ id, gid: id }, 'AUTH_JWT_INVALID'],
      [{ id: '*' }, 'AUTH_JWT_INVALID'],
      [{ a: 'admin' }, 'AUTH_JWT_INVALID'],
      [{ p: [] }, 'AUTH_JWT_INVALID'],
    ];
    for (const [claims, code] of cases) {
      expect([claims, await codeOf(tokens.verify(await sign(first, claims), issuers))]).toEqual([claims, code]);
    }
  });

  it('hold tokens to the issuer and the audience that were registered', async () => {
    const { tokens, sign } = setUp();
    const issuers = [{ url: `${origin}/keys`, issuer: 'https://id.example.com/', audience: 'databases' }];
    const good = { iss: 'https://id.example.com/', aud: ['databases', 'else'] };
    expect(await codeOf(tokens.verify(await sign(first, good), issuers))).toBe('works');
    for (const claims of [{ ...good, iss: 'https://evil.example/' }, { ...good, aud: 'else' }, {}]) {
      expect(await codeOf(tokens.verify(await sign(first, claims), issuers))).toBe('AUTH_JWT_INVALID');
    }
    // What was verified for one set of issuers is not for another.
    expect(await codeOf(tokens.verify(await sign(first, good), []))).toBe('AUTH_JWT_INVALID');
  });

  it('refuse a shared secret, no signature, and a key of another kind', async () => {
    const { tokens, issuers, now, sign } = setUp();
    const spki = Buffer.from(JSON.stringify(first.jwk));
    const shared = await new SignJWT({ id, exp: now + 60 }).setProtectedHeader({ alg: 'HS256', kid: 'a' }).sign(spki);
    const unsigned = `${Buffer.from('{"alg":"none","kid":"a"}').toString('base64url')}.${shared.split('.')[1]}.`;
    const mixed = await sign({ ...elliptic, kid: 'a' });
    for (const token of [shared, unsigned, mixed, `${await sign(first)}x`, 'x', 'a.b.c']) {
      expect(await codeOf(tokens.verify(token, issuers))).toBe('AUTH_JWT_INVALID');
    }
  });
});
