import { decodeJwt } from 'jose';
import { ManualClock } from '../../test/support/manual-clock.js';
import { newSigner } from '../../test/support/new-signer.js';
import { TokenMinter } from './token-minter.js';

describe('TokenMinter', () => {
  const clock = new ManualClock(1_700_000_000_999);
  const mint = async (request: Parameters<TokenMinter['mint']>[0]) =>
    new TokenMinter(await newSigner(), clock, () => 'token-1').mint(request);

  it('names one database, and when the token ends', async () => {
    const { jwt, ...record } = await mint({
      kind: 'database',
      subject: 'db-1',
      access: 'ro',
      mintedBy: 'someone',
      lifetimeSeconds: 60,
    });
    expect(decodeJwt(jwt)).toEqual({
      aud: 'turso-byoc:database',
      iat: 1_700_000_000,
      exp: 1_700_000_060,
      jti: 'token-1',
      a: 'ro',
      id: 'db-1',
    });
    expect(record).toEqual({
      jti: 'token-1',
      kind: 'database',
      subject: 'db-1',
      access: 'ro',
      mintedBy: 'someone',
      mintedAtMs: 1_700_000_000_999,
      expiresAtUnixSeconds: 1_700_000_060,
    });
  });

  it('names a group', async () => {
    const { jwt } = await mint({ kind: 'group', subject: 'group-1', access: 'rw', mintedBy: 'someone' });
    expect(decodeJwt(jwt)).toEqual({
      aud: 'turso-byoc:database',
      iat: 1_700_000_000,
      jti: 'token-1',
      a: 'rw',
      gid: 'group-1',
    });
  });

  it('makes platform tokens for the other audience, without rights to data', async () => {
    const { jwt } = await mint({ kind: 'platform', subject: 'ci', access: 'rw', mintedBy: 'someone' });
    expect(decodeJwt(jwt)).toEqual({ aud: 'turso-byoc:platform', iat: 1_700_000_000, jti: 'token-1' });
  });
});
