/** Tokens of issuers outside the deployment, on a started node with a real key server beside it. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT, type JWTPayload } from 'jose';
import { DataNode, type TestDatabase } from '../support/data-node.js';

const groups = {
  ours: '00000000-0000-4000-8000-000000000001',
  theirs: '77777777-0000-4000-8000-000000000001',
};

describe('tokens of issuers outside', () => {
  let keyServer: Server;
  let node: DataNode;
  const databases: Record<string, TestDatabase> = {};
  const keys = { ours: generateKeyPairSync('rsa', { modulusLength: 2048 }), theirs: generateKeyPairSync('ed25519') };
  let fetches = 0;

  beforeAll(async () => {
    keyServer = createServer((request, response) => {
      fetches += 1;
      const name = request.url === '/ours' ? 'ours' : 'theirs';
      const jwk = { ...keys[name].publicKey.export({ format: 'jwk' }), kid: name };
      response.end(JSON.stringify({ keys: [jwk] }));
    });
    keyServer.listen(0, '127.0.0.1');
    await once(keyServer, 'listening');
    const origin = `http://127.0.0.1:${(keyServer.address() as AddressInfo).port}`;
    node = await DataNode.start({ TURSO_BYOC_JWKS_ORIGINS: origin });
    databases['ours'] = await node.createDatabase('ours');
    databases['theirs'] = await node.createDatabase('theirs', 'libsql', {
      group: { id: groups.theirs, name: 'theirs' },
    });
    await node.rule(1, {
      [groups.ours]: { issuers: [{ url: `${origin}/ours` }] },
      [groups.theirs]: { issuers: [{ url: `${origin}/theirs` }], generation: 3 },
    });
    for (const database of Object.values(databases)) {
      await node.run({ ...database, token: await node.token({ id: database.id, grid: 3 }) }, 'CREATE TABLE t (a)');
    }
  });

  afterAll(async () => {
    await node.dispose();
    keyServer.close();
  });

  const sign = async (by: 'ours' | 'theirs', claims: JWTPayload): Promise<string> => {
    const key: KeyObject = keys[by].privateKey;
    const exp = Math.floor(Date.now() / 1000) + 600;
    return new SignJWT({ exp, ...claims })
      .setProtectedHeader({ alg: by === 'ours' ? 'RS256' : 'EdDSA', kid: by })
      .sign(key);
  };
  const meet = async (name: string, token: string, sql = 'SELECT 1'): Promise<string> => {
    const database = databases[name] ?? { ...databases['ours']!, url: `${node.url}/db/${name}-test/` };
    const { body } = await node.pipeline(database, [{ type: 'execute', stmt: { sql } }, { type: 'close' }], { token });
    return body.code ?? body.results[0]?.error?.code ?? 'works';
  };

  it('open what their claims name, and no more than that', async () => {
    const { id } = databases['ours']!;
    expect(await meet('ours', await sign('ours', { id }), 'INSERT INTO t VALUES (1)')).toBe('works');
    expect(await meet('ours', await sign('ours', { gid: groups.ours }), 'SELECT * FROM t')).toBe('works');
    expect(await meet('ours', await sign('ours', { id, a: 'ro' }), 'DELETE FROM t')).toBe('BLOCKED');
    const p = [{ t: ['other'], a: ['data_read', 'data_add'] }];
    expect(await meet('ours', await sign('ours', { id, p }), 'SELECT * FROM t')).toBe('SQLITE_AUTH');
    expect(await meet('ours', await sign('ours', {}))).toBe('AUTH_JWT_INVALID');
  });

  it('of the algorithm that the deployment uses itself, work the same, after a rotation too', async () => {
    const token = await sign('theirs', { id: databases['theirs']!.id });
    for (let n = 0; n < 3; n += 1) expect(await meet('theirs', token)).toBe('works');
    // The deployment's own are of a generation.
    expect(await meet('theirs', databases['theirs']!.token)).toBe('AUTH_JWT_REVOKED');
  });

  it('open nothing of another group, and do not tell what there is', async () => {
    const { id } = databases['theirs']!;
    for (const claims of [{ id }, { gid: groups.theirs }]) {
      // Theirs does not know our keys, whatever they sign.
      expect(await meet('theirs', await sign('ours', claims))).toBe('AUTH_JWT_INVALID');
      expect(await meet('nowhere', await sign('ours', claims))).toBe('AUTH_JWT_INVALID');
      expect(await meet('ours', await sign('ours', claims))).toBe('AUTH_FORBIDDEN');
    }
    expect(await meet('ours', await sign('theirs', { id: databases['ours']!.id }))).toBe('AUTH_JWT_INVALID');
  });

  it('cost a few fetches, however many come', async () => {
    const { id } = databases['ours']!;
    for (let n = 0; n < 10; n += 1) await meet('ours', await sign('ours', { id, jti: String(n) }));
    expect(fetches).toBeLessThanOrEqual(4);
  });
});
