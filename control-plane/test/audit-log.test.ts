/** The audit log: whatever changed is in it, in a chain that cannot be altered unnoticed. */
import { verifyAudit } from '../src/audit/verify-audit.js';
import { AuditExporter } from '../src/audit/audit-exporter.js';
import { auditHeadType, encodeAuditObject, parseAuditObject } from '../src/audit/audit-object.js';
import { AuditLog } from '../src/audit/audit-log.js';
import { restoreAuditLog } from '../src/audit/restore-audit.js';
import { runAudited, type AuditedCall } from '../src/audit/audited-call.js';
import { publishVerificationKey } from '../src/auth/verification-keys.js';
import { insertUser } from '../src/catalog/users.js';
import { systemClock } from '../src/clock.js';
import pino from 'pino';
import { startApiForTests, type ApiForTests } from './support/api-for-tests.js';
import { ManualClock } from './support/manual-clock.js';
import { newSigner } from './support/new-signer.js';

const logger = pino({ level: 'silent' });
const auditLogs = '/v1/organizations/default/audit-logs';

describe('the audit log', () => {
  let api: ApiForTests;
  let exporter: AuditExporter;
  beforeEach(async () => {
    api = await startApiForTests();
    exporter = new AuditExporter(api.store, api.signer, api.catalog, systemClock, logger);
    await publishVerificationKey(api.store, api.signer);
  });
  afterEach(async () => {
    await exporter.stop();
    await api.close();
  });

  it('holds who changed what, when, through what, and how it ended; and no secret', async () => {
    await api.call('POST', '/v1/groups', { name: 'team' });
    const minted = await api.call('POST', '/v1/groups/team/auth/tokens?expiration=1d');
    await api.call('POST', '/v1/databases', { name: 'shop' });
    expect(await api.call('POST', '/v1/databases', { name: 'shop' })).toMatchObject({ status: 409 });
    await api.call('POST', '/v1/databases/shop/auth/rotate');
    await api.call('DELETE', '/v1/databases/shop');
    await api.call('GET', '/v1/databases');
    const { body } = await api.call('GET', auditLogs);
    const entries = body.audit_logs as {
      code: string;
      outcome: string;
      data: Record<string, unknown>;
      author: string;
    }[];
    expect(entries.map(({ code, outcome }) => `${code} ${outcome}`)).toEqual([
      'db-delete done',
      'db-token-rotate done',
      'db-create refused',
      'db-create done',
      'group-token-create done',
      'group-create done',
    ]);
    expect(entries.every(({ author }) => author === 'default')).toBe(true);
    expect(entries[3]?.data).toMatchObject({ database: 'shop', id: expect.any(String) as string });
    expect(entries[4]?.data).toMatchObject({ jti: expect.any(String) as string, expiration: '1d' });
    for (const secret of [minted.body.jwt as string, api.token]) expect(JSON.stringify(body)).not.toContain(secret);
    expect(body.pagination).toEqual({ page: 1, page_size: 100, total_pages: 1, total_rows: 6 });
    const second = await api.call('GET', `${auditLogs}?page=2&page_size=4`);
    expect(second.body.audit_logs).toEqual(entries.slice(4));
  });

  it.each<[string, readonly string[], string, string]>([
    ['that a load balancer saw', ['127.0.0.1', '10.0.0.0/8'], '203.0.113.9, 192.0.2.7, 10.0.0.4', '192.0.2.7'],
    ['of the connection, where nobody is trusted', [], '192.0.2.7', '127.0.0.1'],
    ['of the connection, where it is of nobody trusted', ['10.0.0.0/8'], '192.0.2.7', '127.0.0.1'],
  ])('has the address %s', async (_what, trustedProxies, forwarded, ip) => {
    const behind = await startApiForTests({ trustedProxies });
    try {
      await fetch(`${behind.url}/v1/groups`, {
        method: 'POST',
        headers: { authorization: `Bearer ${behind.token}`, 'x-forwarded-for': forwarded },
        body: JSON.stringify({ name: 'team' }),
      });
      expect((await behind.call('GET', auditLogs)).body.audit_logs).toMatchObject([{ code: 'group-create', ip }]);
    } finally {
      await behind.close();
    }
  });

  it('holds nothing of another organization', async () => {
    await api.call('POST', '/v1/organizations', { name: 'other' });
    await api.call('POST', '/v1/organizations/other/groups', { name: 'theirs' });
    const { body } = await api.call('GET', '/v1/organizations/other/audit-logs');
    expect(body.audit_logs).toMatchObject([{ code: 'group-create', organization: 'other' }]);
    expect(JSON.stringify((await api.call('GET', auditLogs)).body)).not.toContain('theirs');
    // What is of no organization is for operators.
    expect((await api.call('GET', '/v1/deployment/audit-logs')).body.audit_logs).toMatchObject([
      { code: 'org-create' },
    ]);
  });

  const grow = async (): Promise<void> => {
    for (const name of ['a', 'b', 'c']) await api.call('POST', '/v1/groups', { name });
    await api.audit.settled();
  };

  it('is exported once, whoever exports, and proves itself', async () => {
    await grow();
    const other = new AuditExporter(api.store, api.signer, api.another(), systemClock, logger);
    await Promise.all([exporter.exportNow(), other.exportNow()]);
    await grow();
    await api.call('POST', '/v1/groups', { name: 'd' });
    await api.audit.settled();
    await exporter.exportNow();
    expect(await exporter.exportNow()).toBe(0);
    const verified = await verifyAudit(api.store);
    expect(verified).toMatchObject({ objects: 2, faults: [] });
    expect(verified.head.sequence).toBeGreaterThanOrEqual(4);
  });

  it.each<[string, (lines: string[]) => string[], RegExp]>([
    ['was changed', (lines) => [lines[0]!.replace('group-create', 'group-delete'), ...lines.slice(1)], /its hash/],
    ['was taken out', (lines) => lines.slice(1), /follows entry 0|its hash/],
    ['was put in twice', (lines) => [lines[0]!, ...lines], /follows entry 1/],
    ['was cut off', (lines) => [...lines.slice(0, 2), lines.at(-1)!], /signature/],
    ['is no JSON', (lines) => ['{', ...lines.slice(1)], /not JSON/],
    ['is no entry', (lines) => ['{}', ...lines.slice(1)], /no entry/],
    ['lost its signature', (lines) => lines.slice(0, -1), /no signature/],
  ])('shows that an entry %s', async (_what, change, fault) => {
    await grow();
    await exporter.exportNow();
    const [key] = [...api.store.objects.keys()].filter((each) => each.startsWith('audit/'));
    const stored = api.store.objects.get(key!)!;
    const lines = stored.body.toString('utf8').trimEnd().split('\n');
    stored.body = Buffer.from(`${change(lines).join('\n')}\n`);
    const { faults } = await verifyAudit(api.store);
    expect(faults.length).toBeGreaterThan(0);
    expect(faults.join('\n')).toMatch(fault);
  });

  it('shows that somebody without the key has rewritten it', async () => {
    await grow();
    await exporter.exportNow();
    const [key] = [...api.store.objects.keys()].filter((each) => each.startsWith('audit/'));
    const stored = api.store.objects.get(key!)!;
    const { entries } = parseAuditObject(key!, stored.body);
    const last = entries.at(-1)!;
    const head = Buffer.from(JSON.stringify({ sequence: last.sequence, hash: last.hash }));
    const signature = await (await newSigner()).signBytes(head, auditHeadType);
    stored.body = encodeAuditObject({ entries, signature });
    expect((await verifyAudit(api.store)).faults).toEqual([expect.stringMatching(/no published key/)]);
    // Nor is a signature of the right key good for another use.
    stored.body = encodeAuditObject({ entries, signature: await api.signer.signBytes(head, 'JWT') });
    expect((await verifyAudit(api.store)).faults).toEqual([expect.stringMatching(/something else/)]);
  });

  it('chains what two replicas do at once into one line', async () => {
    const replica = new AuditLog(api.another(), systemClock, logger);
    const other = api.another();
    const act = async (log: AuditLog, number: number): Promise<void> => {
      const call: AuditedCall = {
        isRecorded: false,
        draft: {
          id: `call-${number}`,
          code: 'user-signup',
          message: '',
          origin: 'test',
          author: 'test',
          organization: 'default',
          created_at: new Date().toISOString(),
          data: {},
        },
      };
      log.opened(call);
      const user = {
        uuid: `u-${number}`,
        username: `u${number}`,
        email: '',
        name: '',
        isOperator: false,
        createdAtMs: 1,
      };
      await runAudited(call, async () => insertUser(number % 2 === 0 ? api.catalog : other, user));
      log.closed(call, 'done');
    };
    await Promise.all(
      Array.from({ length: 40 }, async (_each, number) => act(number % 2 === 0 ? api.audit : replica, number)),
    );
    await Promise.all([api.audit.settled(), replica.settled()]);
    await exporter.exportNow();
    expect(await verifyAudit(api.store)).toMatchObject({ faults: [], head: { sequence: 40 } });
    await replica.stop();
  });

  it('goes on where it stood when the catalog was lost', async () => {
    await grow();
    await exporter.exportNow();
    const before = (await api.call('GET', auditLogs)).body.audit_logs as unknown[];
    await api.catalog.write(['DELETE FROM audit_log', 'UPDATE audit_export SET sequence = 0']);
    expect(await restoreAuditLog(api.store, api.catalog, logger)).toBe(before.length);
    expect(await restoreAuditLog(api.store, api.catalog, logger)).toBe(0);
    expect((await api.call('GET', auditLogs)).body.audit_logs).toEqual(before);
    await api.call('POST', '/v1/groups', { name: 'after' });
    await api.audit.settled();
    await exporter.exportNow();
    expect(await verifyAudit(api.store)).toMatchObject({
      objects: 2,
      faults: [],
      head: { sequence: before.length + 1 },
    });
  });

  it('does not take another chain’s export for its own, nor a damaged one back', async () => {
    await grow();
    await exporter.exportNow();
    await api.catalog.write(['DELETE FROM audit_log', 'UPDATE audit_export SET sequence = 0']);
    await api.call('POST', '/v1/groups', { name: 'other-chain' });
    await api.audit.settled();
    await expect(exporter.exportNow()).rejects.toMatchObject({ code: 'AUDIT_DAMAGED' });
    await api.catalog.write(['DELETE FROM audit_log']);
    const [key] = [...api.store.objects.keys()].filter((each) => each.startsWith('audit/'));
    const stored = api.store.objects.get(key!)!;
    stored.body = Buffer.from(stored.body.toString('utf8').replace('group-create', 'group-delete'));
    await expect(restoreAuditLog(api.store, api.catalog, logger)).rejects.toMatchObject({ code: 'AUDIT_DAMAGED' });
  });

  it('says of a call that was cut off that it was interrupted', async () => {
    const clock = new ManualClock(Date.now());
    const draft = {
      id: 'cut-off',
      code: 'db-create',
      message: 'db-create',
      origin: 'api',
      author: 'default',
      organization: 'default',
      created_at: new Date(clock.now()).toISOString(),
      data: {},
    };
    // The process ended after the change and before the answer.
    await runAudited({ isRecorded: false, draft }, async () =>
      insertUser(api.catalog, { uuid: 'x', username: 'x', email: '', name: '', isOperator: false, createdAtMs: 1 }),
    );
    const next = new AuditLog(api.catalog, clock, logger);
    await next.collectInterrupted();
    await next.settled();
    expect((await next.page('default', { offset: 0, limit: 10 })).total).toBe(0);
    clock.nowMs += 121_000;
    await next.collectInterrupted();
    await next.settled();
    expect((await next.page('default', { offset: 0, limit: 10 })).entries).toMatchObject([
      { id: 'cut-off', outcome: 'interrupted' },
    ]);
    await next.stop();
  });
});
