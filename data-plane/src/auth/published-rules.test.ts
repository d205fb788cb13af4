import { generateKeyPairSync } from 'node:crypto';
import { CompactSign } from 'jose';
import pino from 'pino';
import { ManualRuntime } from '../../test/support/manual-runtime.js';
import { keySetBytes, tokenIssuer, type TokenIssuer } from '../../test/support/token-issuer.js';
import type { ETag, StoredObject } from '../object-store/object-store.js';
import {
  accessRulesIndexObject,
  accessRulesIndexType,
  accessRulesShardObject,
  encodeShard,
  maxIndexBytes,
  maxShardBytes,
  type SubjectRules,
} from './access-rules.js';
import { databaseTokenAudience, verificationKeysObject, type DatabaseTokenClaims } from './claims.js';
import { PublishedRules } from './published-rules.js';
import { parseVerificationKeySet } from './verification-key-set.js';
import { VerificationKeys } from './verification-keys.js';
import { digestToSign, joinSigned, splitSigned } from './signed-content.js';

const issuer = tokenIssuer('key-1');
const keys = parseVerificationKeySet(keySetBytes(1, issuer)).keys;
const database = {
  id: '11111111-1111-4111-8111-111111111111',
  group: { id: '22222222-2222-4222-8222-222222222222' },
};
const claims = (more: Partial<DatabaseTokenClaims>): DatabaseTokenClaims => ({
  aud: databaseTokenAudience,
  iat: 1,
  jti: 'j',
  a: 'rw',
  ...more,
});
const ofDatabase = (more: Partial<DatabaseTokenClaims> = {}) => claims({ id: database.id, ...more });
const ofGroup = (more: Partial<DatabaseTokenClaims> = {}) => claims({ gid: database.group.id, ...more });

class ControlStore {
  readonly objects = new Map<string, Buffer>();
  readonly reads: string[] = [];

  async get(key: string): Promise<StoredObject | undefined> {
    this.reads.push(key);
    const body = this.objects.get(key);
    return body && { body, etag: 'e' as ETag };
  }

  /** Publishes as the control plane does. */
  async publish(version: number, shards: Record<string, Record<string, SubjectRules>>): Promise<void> {
    const digests = Object.entries(shards).map(([shard, subjects]) => {
      const { body, digest } = encodeShard(subjects);
      this.objects.set(accessRulesShardObject(shard, digest), body);
      return [shard, digest];
    });
    await this.sign({ format: 'turso-byoc/access-rules/1', version, shards: Object.fromEntries(digests) as object });
  }

  async sign(payload: unknown, by: TokenIssuer = issuer, typ = accessRulesIndexType): Promise<void> {
    const content = Buffer.from(JSON.stringify(payload));
    const signature = await new CompactSign(digestToSign(content))
      .setProtectedHeader({ alg: 'EdDSA', kid: by.kid, typ })
      .sign(by.privateKey);
    this.objects.set(accessRulesIndexObject, joinSigned({ signature, content }));
  }
}

async function ruled(shards: Record<string, Record<string, SubjectRules>>) {
  const store = new ControlStore();
  await store.publish(1, shards);
  const rules = new PublishedRules(store);
  await rules.read(keys);
  return { store, rules };
}

describe('PublishedRules', () => {
  it('rule nothing while nothing is published', async () => {
    const rules = new PublishedRules(new ControlStore());
    await rules.read(keys);
    expect(rules.judge(ofDatabase(), database)).toEqual({ writesBlocked: false });
  });

  it('end the tokens of earlier generations, and no others', async () => {
    const { rules } = await ruled({ '11': { [database.id]: { generation: 2 } } });
    const revoked = expect.objectContaining({ code: 'AUTH_JWT_REVOKED', status: 401 }) as Error;
    expect(() => rules.judge(ofDatabase(), database)).toThrow(revoked);
    expect(() => rules.judge(ofDatabase({ rid: 1 }), database)).toThrow(revoked);
    expect(rules.judge(ofDatabase({ rid: 2 }), database)).toEqual({ writesBlocked: false });
    expect(rules.judge(ofGroup(), database)).toEqual({ writesBlocked: false });
    const other = { ...database, id: '11111111-1111-4111-8111-222222222222' };
    expect(rules.judge(ofDatabase({ id: other.id }), other)).toEqual({ writesBlocked: false });
  });

  it('end with a group the tokens of its databases, too', async () => {
    const { rules } = await ruled({ '22': { [database.group.id]: { generation: 1 } } });
    const revoked = expect.objectContaining({ code: 'AUTH_JWT_REVOKED' }) as Error;
    expect(() => rules.judge(ofGroup(), database)).toThrow(revoked);
    expect(() => rules.judge(ofDatabase({ rid: 5 }), database)).toThrow(revoked);
    expect(rules.judge(ofGroup({ rid: 1 }), database)).toEqual({ writesBlocked: false });
    expect(rules.judge(ofDatabase({ grid: 1 }), database)).toEqual({ writesBlocked: false });
  });

  it('end single tokens', async () => {
    const { rules } = await ruled({
      '11': { [database.id]: { revoked: ['lost'] } },
      '22': { [database.group.id]: { revoked: ['also-lost'] } },
    });
    const revoked = expect.objectContaining({ code: 'AUTH_JWT_REVOKED' }) as Error;
    expect(() => rules.judge(ofDatabase({ jti: 'lost' }), database)).toThrow(revoked);
    expect(() => rules.judge(ofGroup({ jti: 'also-lost' }), database)).toThrow(revoked);
    expect(rules.judge(ofDatabase(), database)).toEqual({ writesBlocked: false });
    expect(rules.judge(ofGroup({ jti: 'lost' }), database)).toEqual({ writesBlocked: false });
  });

  it('block reads and writes', async () => {
    const { store, rules } = await ruled({ '11': { [database.id]: { blockWrites: true } } });
    expect(rules.judge(ofDatabase(), database)).toEqual({ writesBlocked: true });
    await store.publish(2, { '11': { [database.id]: { blockReads: true } } });
    await rules.read(keys);
    expect(() => rules.judge(ofGroup(), database)).toThrow(expect.objectContaining({ code: 'BLOCKED' }) as Error);
  });

  it('are read only where the index says that they changed', async () => {
    const { store, rules } = await ruled({ '11': { [database.id]: {} }, '22': { [database.group.id]: {} } });
    store.reads.length = 0;
    await rules.read(keys);
    expect(store.reads).toEqual([accessRulesIndexObject]);
    await store.publish(2, { '11': { [database.id]: { generation: 1 } }, '22': { [database.group.id]: {} } });
    store.reads.length = 0;
    await rules.read(keys);
    expect(store.reads).toEqual([accessRulesIndexObject, expect.stringMatching(/^access-rules\/11\//)]);
  });

  it('are read again when a shard was replaced meanwhile', async () => {
    const { store, rules } = await ruled({ '11': { [database.id]: {} } });
    await store.publish(2, { '11': { [database.id]: { generation: 1 } } });
    const [, outdated] = [...store.objects.keys()].filter((key) => key.startsWith('access-rules/11/'));
    const body = store.objects.get(outdated!)!;
    const get = store.get.bind(store);
    // Between the two reads another index takes the place of the first.
    store.get = async (key) => {
      const found = await get(key);
      if (key === accessRulesIndexObject && store.objects.get(outdated!) === body) {
        store.objects.delete(outdated!);
        await store.publish(3, { '11': { [database.id]: { generation: 7 } } });
      }
      return found;
    };
    await rules.read(keys);
    expect(() => rules.judge(ofDatabase({ rid: 6 }), database)).toThrow();
    expect(rules.judge(ofDatabase({ rid: 7 }), database)).toEqual({ writesBlocked: false });
  });

  const corrupt = expect.objectContaining({ code: 'STORE_OBJECT_CORRUPT' }) as Error;
  const index = { format: 'turso-byoc/access-rules/1', version: 2, shards: {} };

  it.each<[string, (store: ControlStore) => Promise<void>, string?]>([
    ['signed by nobody known', async (store) => store.sign(index, tokenIssuer('key-1'))],
    ['signed by a key of another name', async (store) => store.sign(index, tokenIssuer('key-2'))],
    ['signed for another use', async (store) => store.sign(index, issuer, 'JWT')],
    ['of version 0', async (store) => store.sign({ ...index, version: 0 })],
    ['with a shard that is none', async (store) => store.sign({ ...index, shards: { '1': 'a'.repeat(64) } })],
    ['with a digest that is none', async (store) => store.sign({ ...index, shards: { '11': '../../x' } })],
    [
      'that names a shard that is not there',
      async (store) => store.sign({ ...index, shards: { '11': 'a'.repeat(64) } }),
    ],
    ['that is a list', async (store) => store.sign([index])],
    [
      'of another format',
      async (store) => store.sign({ ...index, format: 'turso-byoc/access-rules/9' }),
      'STORE_FORMAT_UNKNOWN',
    ],
    [
      'behind the signature of another one',
      async (store) => {
        const body = store.objects.get(accessRulesIndexObject)!;
        const { signature } = splitSigned(body)!;
        store.objects.set(
          accessRulesIndexObject,
          joinSigned({ signature, content: Buffer.from(JSON.stringify({ ...index, version: 9 })) }),
        );
      },
    ],
    ['that is garbage', async (store) => void store.objects.set(accessRulesIndexObject, Buffer.from('{}'))],
    [
      'that is too long',
      async (store) => void store.objects.set(accessRulesIndexObject, Buffer.alloc(maxIndexBytes + 1)),
    ],
    ['that is gone', async (store) => void store.objects.delete(accessRulesIndexObject)],
  ])('do not follow an index %s', async (_what, change, code = 'STORE_OBJECT_CORRUPT') => {
    const { store, rules } = await ruled({ '11': { [database.id]: { generation: 1 } } });
    await change(store);
    await expect(rules.read(keys)).rejects.toMatchObject({ code });
    expect(() => rules.judge(ofDatabase(), database)).toThrow(
      expect.objectContaining({ code: 'AUTH_JWT_REVOKED' }) as Error,
    );
  });

  it('do not go back to an earlier index', async () => {
    const { store, rules } = await ruled({});
    await store.publish(5, { '11': { [database.id]: { generation: 1 } } });
    await rules.read(keys);
    await store.publish(4, {});
    await expect(rules.read(keys)).rejects.toEqual(corrupt);
  });

  it.each<[string, Buffer]>([
    ['other bytes', Buffer.from('{}')],
    ['too many bytes', Buffer.alloc(maxShardBytes + 1)],
  ])('do not follow a shard with %s than its digest says', async (_what, body) => {
    const store = new ControlStore();
    await store.publish(1, { '11': { [database.id]: {} } });
    const key = [...store.objects.keys()].find((each) => each.startsWith('access-rules/11/'))!;
    store.objects.set(key, body);
    await expect(new PublishedRules(store).read(keys)).rejects.toEqual(corrupt);
  });

  it.each<[string, object]>([
    ['a negative generation', { generation: -1 }],
    ['a generation that is text', { generation: '1' }],
    ['revoked tokens that are no list', { revoked: 'all' }],
    ['a block that is lifted', { blockReads: false }],
    ['a field that nobody knows', { blockRead: true }],
  ])('do not follow a shard with %s', async (_what, subject) => {
    const store = new ControlStore();
    await store.publish(1, { '11': { [database.id]: subject } });
    await expect(new PublishedRules(store).read(keys)).rejects.toEqual(corrupt);
  });

  it('are as fresh as the keys: no request is judged by rules that are older than ten seconds', async () => {
    const store = new ControlStore();
    store.objects.set(verificationKeysObject, keySetBytes(1, issuer));
    const runtime = new ManualRuntime();
    const rules = new PublishedRules(store);
    const verification = new VerificationKeys({ store, rules, runtime, log: pino({ level: 'silent' }) });
    await verification.start();
    await store.publish(1, { '11': { [database.id]: { generation: 1 } } });
    await runtime.advance(10_001);
    await verification.freshen();
    expect(() => rules.judge(ofDatabase(), database)).toThrow();
    // Rules that cannot be read end what the keys allow, as keys that cannot be read do.
    const { privateKey } = generateKeyPairSync('ed25519');
    await store.sign({ ...index, version: 9 }, { ...issuer, privateKey });
    await runtime.advance(310_000);
    await expect(verification.freshen()).rejects.toEqual(corrupt);
  });
});
