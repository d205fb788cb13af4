import type { VerificationKeySet } from '@turso-byoc/data-plane/auth/claims.js';
import { ManualClock } from '../../test/support/manual-clock.js';
import { newSigner } from '../../test/support/new-signer.js';
import { maxStalenessMs, PlatformAuthenticator } from './platform-authenticator.js';
import type { TokenHolder } from './token-holder.js';
import { TokenMinter } from './token-minter.js';
import type { TokenSigner } from './token-signer.js';

const keySetOf = (signer: TokenSigner): VerificationKeySet => ({
  format: 'turso-byoc/verification-keys/1',
  version: 1,
  keys: [{ kid: signer.kid, algorithm: 'Ed25519', publicKey: signer.publicKey }],
});

const ci: TokenHolder = {
  tokenName: 'ci',
  user: { uuid: 'u-1', username: 'ada', email: '', name: 'Ada', isOperator: false, createdAtMs: 1 },
  memberships: new Map([['acme', 'member']]),
};

async function setUp() {
  const clock = new ManualClock();
  const signer = await newSigner();
  const minter = new TokenMinter(signer, clock);
  const inForce = new Map<string, TokenHolder>();
  let lookups = 0;
  const authenticator = new PlatformAuthenticator(
    keySetOf(signer),
    async (id) => {
      lookups += 1;
      return inForce.get(id);
    },
    clock,
  );
  const token = await minter.mint({ kind: 'platform', subject: 'ci', access: 'rw', mintedBy: 'test' });
  inForce.set(token.jti, ci);
  return { clock, signer, minter, inForce, authenticator, token, lookups: () => lookups };
}

describe('PlatformAuthenticator', () => {
  it('knows the caller', async () => {
    const { authenticator, token } = await setUp();
    expect(await authenticator.authenticate(`Bearer ${token.jwt}`)).toEqual({ tokenId: token.jti, ...ci });
    expect(await authenticator.authenticate(`bearer  ${token.jwt} `)).toMatchObject({ tokenName: 'ci' });
  });

  it.each([undefined, '', 'Bearer', 'Bearer ', 'Basic dXNlcjpwdw=='])(
    'asks for a token when it gets %p',
    async (header) => {
      const { authenticator } = await setUp();
      await expect(authenticator.authenticate(header)).rejects.toMatchObject({
        code: 'AUTH_TOKEN_MISSING',
        status: 401,
      });
    },
  );

  it('refuses tokens that are not platform tokens of this deployment', async () => {
    const { authenticator, minter, clock, inForce } = await setUp();
    const database = await minter.mint({ kind: 'database', subject: 'db', access: 'rw', mintedBy: 'test' });
    inForce.set(database.jti, ci);
    const foreign = await new TokenMinter(await newSigner(), clock).mint({
      kind: 'platform',
      subject: 'x',
      access: 'rw',
      mintedBy: 'test',
    });
    inForce.set(foreign.jti, ci);
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${database.jwt.split('.')[1] ?? ''}.`;
    for (const jwt of [database.jwt, foreign.jwt, unsigned, 'nonsense']) {
      await expect(authenticator.authenticate(`Bearer ${jwt}`)).rejects.toMatchObject({ code: 'AUTH_TOKEN_INVALID' });
    }
  });

  it('refuses an expired token, and tells when a token expires', async () => {
    const { authenticator, minter, clock, inForce } = await setUp();
    const token = await minter.mint({
      kind: 'platform',
      subject: 'short',
      access: 'rw',
      mintedBy: 'test',
      lifetimeSeconds: 60,
    });
    inForce.set(token.jti, ci);
    expect(await authenticator.authenticate(`Bearer ${token.jwt}`)).toMatchObject({
      expiresAtUnixSeconds: token.expiresAtUnixSeconds,
    });
    clock.nowMs += 61_000;
    await expect(authenticator.authenticate(`Bearer ${token.jwt}`)).rejects.toMatchObject({
      code: 'AUTH_TOKEN_EXPIRED',
    });
  });

  it('asks the catalog again only after the stated staleness', async () => {
    const { authenticator, token, clock, inForce, lookups } = await setUp();
    const call = async () => authenticator.authenticate(`Bearer ${token.jwt}`);
    await call();
    await call();
    expect(lookups()).toBe(1);
    inForce.delete(token.jti);
    clock.nowMs += maxStalenessMs - 1;
    await call();
    clock.nowMs += 1;
    await expect(call()).rejects.toMatchObject({ code: 'AUTH_TOKEN_REVOKED', status: 401 });
  });

  it('sees a revocation of its own at once, also one that runs beside a lookup', async () => {
    const { authenticator, token, inForce } = await setUp();
    const call = async () => authenticator.authenticate(`Bearer ${token.jwt}`);
    await call();
    inForce.delete(token.jti);
    authenticator.forget(token.jti);
    await expect(call()).rejects.toMatchObject({ code: 'AUTH_TOKEN_REVOKED' });

    inForce.set(token.jti, ci);
    const beside = call();
    inForce.delete(token.jti);
    authenticator.forget(token.jti);
    await beside.catch(() => undefined);
    await expect(call()).rejects.toMatchObject({ code: 'AUTH_TOKEN_REVOKED' });
  });
});
