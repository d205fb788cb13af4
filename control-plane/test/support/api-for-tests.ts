/** The whole Platform API in this process, over a real catalog in a file and a data node in memory. */
import { createHash, randomUUID } from 'node:crypto';
import pino from 'pino';
import type { VerificationKeySet } from '@turso-byoc/data-plane/auth/claims.js';
import { AccessRulesPublisher } from '../../src/access/access-rules-publisher.js';
import { buildPlatformApi, type PlatformApi } from '../../src/api/platform-api.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import { PlatformAuthenticator } from '../../src/auth/platform-authenticator.js';
import { PlatformTokens } from '../../src/auth/platform-tokens.js';
import { TokenMinter } from '../../src/auth/token-minter.js';
import type { TokenSigner } from '../../src/auth/token-signer.js';
import { findTokenHolder } from '../../src/catalog/api-tokens.js';
import { ensureLocalUser } from '../../src/catalog/bootstrap.js';
import { systemClock, type Clock } from '../../src/clock.js';
import { AdminClient } from '../../src/data-node/admin-client.js';
import { DatabaseLifecycle } from '../../src/databases/database-lifecycle.js';
import { Reconciler } from '../../src/databases/reconciler.js';
import { Operations } from '../../src/fleet/operations.js';
import { ControlMetrics } from '../../src/metering/control-metrics.js';
import { UsageCollector } from '../../src/metering/usage-collector.js';
import { Limiter } from '../../src/limits/limiter.js';
import { RememberedGroups } from '../../src/catalog/remembered-groups.js';
import { AdminNodeForTests } from './admin-node.js';
import { openCatalogForTests, type CatalogForTests } from './catalog-for-tests.js';
import { MemoryObjectStore } from './memory-object-store.js';
import { newSigner } from './new-signer.js';

export interface ApiAnswer {
  readonly status: number;
  readonly body: any;
  readonly headers: Readonly<Record<string, unknown>>;
}

export interface ApiForTests extends CatalogForTests {
  readonly url: string;
  readonly api: PlatformApi;
  readonly node: AdminNodeForTests;
  readonly store: MemoryObjectStore;
  readonly signer: TokenSigner;
  readonly audit: AuditLog;
  /** A token of the operator, who owns the organization `default`. */
  readonly token: string;
  readonly bootstrapToken: string;
  readonly call: (method: string, path: string, body?: unknown, token?: string | null) => Promise<ApiAnswer>;
  /** A user with a token, who is a member if a role is given. */
  readonly addUser: (username: string, role?: string, organization?: string) => Promise<string>;
}

export async function startApiForTests(
  options: {
    readonly clock?: Clock;
    readonly withoutOperator?: boolean;
    readonly trustedProxies?: readonly string[];
  } = {},
): Promise<ApiForTests> {
  const clock = options.clock ?? systemClock;
  const signer = await newSigner();
  const files = await openCatalogForTests(signer, clock);
  const { catalog } = files;
  const node = new AdminNodeForTests();
  const store = new MemoryObjectStore();
  const admin = new AdminClient({
    url: await node.listen(),
    credential: 'a-credential-for-tests',
    clock,
    retryBudgetMs: 100,
    attemptTimeoutMs: 5_000,
  });
  const logger = pino({ level: 'silent' });
  const keySet: VerificationKeySet = {
    format: 'turso-byoc/verification-keys/1',
    version: 1,
    keys: [{ kid: signer.kid, algorithm: 'Ed25519', publicKey: signer.publicKey }],
  };
  const minter = new TokenMinter(signer, clock);
  const authenticator = new PlatformAuthenticator(keySet, async (id) => findTokenHolder(catalog, id), clock);
  const platformTokens = new PlatformTokens(catalog, minter, authenticator, clock);
  const accessRules = new AccessRulesPublisher(store, signer, catalog, clock);
  const lifecycle = new DatabaseLifecycle(catalog, admin, clock, accessRules);
  const reconciler = new Reconciler(catalog, lifecycle, clock, logger);
  const audit = new AuditLog(catalog, clock, logger);
  const operations = new Operations({
    catalog,
    minter,
    clock,
    logger,
    dataUrl: 'http://127.0.0.1:9/',
    retryBudgetMs: 1,
    attemptTimeoutMs: 1_000,
  });
  const bootstrapToken = 'b'.repeat(40);
  const api = buildPlatformApi(
    {
      catalog,
      admin,
      lifecycle,
      reconciler,
      minter,
      platformTokens,
      authenticator,
      accessRules,
      audit,
      metrics: new ControlMetrics(),
      limiter: new Limiter(catalog, clock),
      groups: new RememberedGroups(catalog, clock),
      operations,
      usage: new UsageCollector({ catalog, admin, clock, logger }),
      bootstrapDigest: createHash('sha256').update(bootstrapToken).digest('hex'),
      trustedProxies: options.trustedProxies ?? [],
      clock,
      organization: 'default',
      hostnameSuffix: 'db.example.com',
      primaryRegion: 'aws-eu-west-1',
      release: '0.0.0-test',
      isReady: () => true,
    },
    logger,
  );
  const undeclared = watchRefusals(api);
  const url = await api.app.listen({ host: '127.0.0.1', port: 0 });
  let token = '';
  if (options.withoutOperator !== true) {
    const user = { uuid: randomUUID(), username: 'default', email: '', name: 'default', isOperator: true };
    const { uuid } = await ensureLocalUser(catalog, { ...user, createdAtMs: clock.now() }, 'default');
    token = (await platformTokens.mint({ userUuid: uuid, name: 'operator', mintedBy: 'test' })).jwt;
  }
  const call: ApiForTests['call'] = async (method, path, body, as = token) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: as === null ? {} : { authorization: `Bearer ${as}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: 'manual',
    });
    const text = await response.text();
    const headers = Object.fromEntries(response.headers);
    return { status: response.status, body: text === '' ? {} : JSON.parse(text), headers };
  };
  return {
    ...files,
    url,
    api,
    node,
    store,
    signer,
    audit,
    token,
    bootstrapToken,
    call,
    addUser: async (username, role, organization = 'default') => {
      await call('POST', '/v1/users', { username, email: `${username}@example.com` });
      if (role !== undefined) await call('POST', `/v1/organizations/${organization}/members`, { username, role });
      return (await call('POST', `/v1/users/${username}/api-tokens/first`)).body.token as string;
    },
    close: async () => {
      await api.app.close();
      await operations.stop();
      await reconciler.stop();
      await audit.stop();
      await node.close();
      await files.close();
      if (undeclared.size > 0) throw new Error(`not declared with the route: ${[...undeclared].join(', ')}`);
    },
  };
}

/** Codes that calls were refused with although their routes do not declare them: whoever uses this tests the declarations, too. */
function watchRefusals({ app }: PlatformApi): ReadonlySet<string> {
  const undeclared = new Set<string>();
  app.addHook('onSend', async (request, reply, payload) => {
    const { route } = request.routeOptions.config;
    if (route === undefined || reply.statusCode < 400 || !Buffer.isBuffer(payload)) return payload;
    const { code } = JSON.parse(payload.toString('utf8')) as { code: string };
    if (!route.errors.some((declared) => declared === code)) undeclared.add(`${code} of ${route.operation}`);
    return payload;
  });
  return undeclared;
}
