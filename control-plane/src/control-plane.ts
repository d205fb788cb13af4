import { createHash, randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { readSecret, type SecretSource } from '@turso-byoc/data-plane/node/secret-source.js';
import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import { openStore } from '@turso-byoc/data-plane/object-store/open-store.js';
import { alarms } from '@turso-byoc/data-plane/metering/alarms/alarms.js';
import { CountingObjectStore } from '@turso-byoc/data-plane/metering/counting-object-store.js';
import { EmbeddedMetrics } from '@turso-byoc/data-plane/metering/embedded-metrics.js';
import { Reachability } from '@turso-byoc/data-plane/reachability.js';
import { systemRuntime } from '@turso-byoc/data-plane/runtime.js';
import { openTracing } from '@turso-byoc/data-plane/tracing/open-tracing.js';
import type { Tracing } from '@turso-byoc/data-plane/tracing/tracing.js';
import { AccessRulesPublisher } from './access/access-rules-publisher.js';
import { buildPlatformApi } from './api/platform-api.js';
import { PlatformAuthenticator } from './auth/platform-authenticator.js';
import { PlatformTokens } from './auth/platform-tokens.js';
import { TokenMinter } from './auth/token-minter.js';
import { openTokenSigner } from './auth/token-signer.js';
import { tracedSigner } from './auth/traced-signer.js';
import { publishVerificationKey } from './auth/verification-keys.js';
import { AuditExporter } from './audit/audit-exporter.js';
import { AuditLog } from './audit/audit-log.js';
import { openAuditStore } from './audit/audit-store.js';
import { restoreAuditLog } from './audit/restore-audit.js';
import { findTokenHolder } from './catalog/api-tokens.js';
import { ensureLocalUser } from './catalog/bootstrap.js';
import type { CatalogConnection } from './catalog/catalog-connection.js';
import { openCatalog } from './catalog/open-catalog.js';
import { RememberedGroups } from './catalog/remembered-groups.js';
import type { UserRecord } from './catalog/users.js';
import type { Clock } from './clock.js';
import type { ControlPlaneConfig } from './config.js';
import { AdminClient } from './data-node/admin-client.js';
import { DatabaseLifecycle, type StepObserver } from './databases/database-lifecycle.js';
import { Reconciler } from './databases/reconciler.js';
import { ControlPlaneError } from './errors/catalogue.js';
import { organization } from './organization.js';
import { Limiter } from './limits/limiter.js';
import { ControlMetrics } from './metering/control-metrics.js';
import { serveMetrics } from './metering/metrics-server.js';
import { UsageCollector } from './metering/usage-collector.js';
import { Operations } from './fleet/operations.js';
import { release } from './release.js';
import { IdentityProvider } from './sign-in/identity-provider.js';
import { SignIn } from './sign-in/sign-in.js';

/** How long a call of the Platform API waits for a data plane that is away: longer than a data node's restart. */
const retryBudgetMs = 15_000;
const startBudgetMs = 60_000;
/** How long work in the background may take to end at a stop: less than the process waits for the whole. */
const windUpBudgetMs = 5_000;
const attemptTimeoutMs = 10_000;
/** Together with an attempt, shorter than a runner's lease. */
const migrationRetryBudgetMs = 10_000;

export interface ControlPlane {
  readonly apiPort: number;
  readonly metricsPort: number | undefined;
  readonly platformTokens: PlatformTokens;
  /** The user that whoever runs this deployment on the machine itself acts for; made when there is none. */
  localUser(): Promise<UserRecord>;
  /** Answers the calls in hand, then closes. */
  stop(): Promise<void>;
}

export interface ControlPlaneOptions {
  readonly config: ControlPlaneConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends a start that still waits for the data plane. */
  readonly signal: AbortSignal;
  /** Told of each step of a database's creation and deletion. */
  readonly observe?: StepObserver;
}

/** Publishes the verification key, opens the catalog, and serves the Platform API. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { config, clock, logger, signal } = options;
  const metrics = new ControlMetrics();
  const tracing = await openControlTracing(config, metrics, logger);
  const openedSigner = await openTokenSigner(config.signingKey);
  const signer = tracing ? tracedSigner(openedSigner, tracing) : openedSigner;
  const credential = await requiredSecret(config.adminCredential, 'TURSO_BYOC_ADMIN_CREDENTIAL', 16);
  const openedStore = await openStore(config.controlStore, {
    runtime: systemRuntime,
    needs: ['readAfterWrite', 'createIfAbsent', 'replaceIfUnchanged'],
    report: (event, fields) => logger.warn(fields, event),
  });
  const traced = (opened: ObjectStore, name: string): ObjectStore =>
    tracing
      ? new CountingObjectStore(opened, systemRuntime, (request) => tracing.storeRequestEnded(name, request))
      : opened;
  const store = traced(openedStore, 'control');
  const keySet = await publishVerificationKey(store, signer);
  const minter = new TokenMinter(signer, clock);
  const admin = new AdminClient({ url: config.adminUrl, credential, clock, retryBudgetMs, attemptTimeoutMs, tracing });
  const catalog = await openCatalog({
    admin,
    onCall: (operation, outcome, durationMs) => metrics.catalogCalled(operation, outcome, durationMs),
    minter,
    clock,
    dataUrl: config.dataUrl,
    organization,
    primaryRegion: config.primaryRegion,
    startBudgetMs,
    retryBudgetMs,
    attemptTimeoutMs,
    tracing,
    signal,
  });
  const authenticator = new PlatformAuthenticator(keySet, async (id) => findTokenHolder(catalog, id), clock);
  const dataPlane = new Reachability({
    runtime: systemRuntime,
    ask: async () => {
      await catalog.read('SELECT 1');
    },
  });
  const accessRules = new AccessRulesPublisher(store, signer, catalog, clock);
  const lifecycle = new DatabaseLifecycle(catalog, admin, clock, accessRules, options.observe);
  const onReconciled = (outcome: 'done' | 'failed'): void => metrics.reconciled(outcome);
  const reconciler = new Reconciler(catalog, lifecycle, clock, logger, onReconciled, tracing);
  const platformTokens = new PlatformTokens(catalog, minter, authenticator, clock);
  const ownStore =
    config.auditStore &&
    (await openAuditStore({ location: config.auditStore, control: store, signer, published: keySet, logger }));
  const auditStore = ownStore ? traced(ownStore.store, 'audit') : store;
  const restored = await restoreAuditLog(auditStore, catalog, logger);
  if (restored > 0)
    logger.warn({ entries: restored }, 'the catalog had lost entries of its audit log; they came back from the export');
  const onExport = (outcome: 'done' | 'failed', entries: number): void => metrics.exported(outcome, entries);
  const exporter = new AuditExporter(auditStore, signer, catalog, clock, logger, onExport, ownStore?.earlier);
  metrics.reconcilerBacklog.watch(() => reconciler.backlog);
  metrics.auditExportLagSeconds.watch(() => exporter.lagMs / 1000);
  const audit = new AuditLog(catalog, clock, logger, () => exporter.schedule());
  const operations = new Operations({
    catalog,
    minter,
    clock,
    logger,
    dataUrl: config.dataUrl,
    retryBudgetMs: migrationRetryBudgetMs,
    attemptTimeoutMs,
    tracing,
  });
  const usage = new UsageCollector({
    catalog,
    admin,
    clock,
    logger,
    onCollected: (outcome, batches) => metrics.usageCollected(outcome, batches),
  });
  const signIn = await openSignIn(config, { catalog, platformTokens, authenticator, clock });
  const bootstrapDigest = await bootstrapDigestOf(config);
  const { app: api } = buildPlatformApi(
    {
      catalog,
      admin,
      accessRules,
      audit,
      limiter: new Limiter(catalog, clock),
      metrics,
      tracing,
      groups: new RememberedGroups(catalog, clock),
      operations,
      usage,
      ...(signIn && { signIn }),
      ...(config.oidc && { publicUrl: config.oidc.publicUrl }),
      ...(bootstrapDigest !== undefined && { bootstrapDigest }),
      lifecycle,
      reconciler,
      minter,
      platformTokens,
      authenticator,
      trustedProxies: config.trustedProxies,
      clock,
      organization,
      hostnameSuffix: config.hostnameSuffix,
      primaryRegion: config.primaryRegion,
      release,
      isReady: () => dataPlane.isReached(),
    },
    logger,
  );
  await api.listen({ host: config.apiHost, port: config.apiPort });
  const metricsServer =
    config.metricsPort === undefined
      ? undefined
      : await serveMetrics({ host: config.apiHost, port: config.metricsPort, credential, metrics });
  const embedded =
    config.embeddedMetrics === undefined
      ? undefined
      : new EmbeddedMetrics({
          registry: metrics.registry,
          rules: alarms.filter(({ plane }) => plane === 'control'),
          namespace: config.embeddedMetrics,
          log: logger,
          nowMs: () => clock.now(),
        });
  embedded?.start();
  reconciler.wake();
  usage.start();
  // What a crash has left, beside databases; a failure is told, and the next start tries again.
  const takeUp = async (): Promise<void> => {
    await accessRules.publish();
    await audit.collectInterrupted();
    exporter.schedule();
    await operations.wake();
  };
  const takenUp = takeUp().catch((error: unknown) => logger.warn({ err: error }, 'left work could not be taken up'));
  return {
    apiPort: (api.server.address() as AddressInfo).port,
    metricsPort: metricsServer?.port,
    platformTokens,
    localUser: async () => {
      const user = { uuid: randomUUID(), username: organization, email: '', name: organization, isOperator: true };
      const found = await ensureLocalUser(catalog, { ...user, createdAtMs: clock.now() }, organization);
      authenticator.forgetAll();
      return found;
    },
    stop: async () => {
      await api.close();
      await metricsServer?.close();
      await embedded?.stop();
      const windingUp = async (): Promise<void> => {
        await takenUp;
        await operations.stop();
        await usage.stop();
        await reconciler.stop();
        await audit.stop();
        await exporter.stop();
      };
      // Where the data plane is away, too, all of it waits; the next start takes it up from what the catalog says.
      if (!(await isDoneWithin(windUpBudgetMs, windingUp()))) {
        logger.warn('work in the background was left to the next start');
      }
      await tracing?.stop();
      catalog.close();
    },
  };
}

async function openControlTracing(
  config: ControlPlaneConfig,
  metrics: ControlMetrics,
  logger: Logger,
): Promise<Tracing | undefined> {
  return openTracing(config.tracing, systemRuntime, {
    resource: {
      'service.name': 'turso-byoc-control-plane',
      'service.version': release,
      'service.instance.id': hostname(),
    },
    onSpans: (outcome, count) => metrics.traces.ended(outcome, count),
    onChange: (failure) => {
      if (failure === undefined) logger.info('the collector takes traces again');
      else logger.warn({ reason: failure }, 'the collector does not take traces');
    },
  });
}

/** Whether `work` has ended within the time. Throws what it throws until then; what it throws later is lost with the process. */
async function isDoneWithin(ms: number, work: Promise<void>): Promise<boolean> {
  const timer = new AbortController();
  try {
    return await Promise.race([
      work.then(() => true),
      sleep(ms, false, { signal: timer.signal, ref: false }).catch(() => false),
    ]);
  } finally {
    timer.abort();
    work.catch(() => undefined);
  }
}

/** Sign-in through the identity provider, if one is set up. */
async function openSignIn(
  { oidc }: ControlPlaneConfig,
  parts: {
    readonly catalog: CatalogConnection;
    readonly platformTokens: PlatformTokens;
    readonly authenticator: PlatformAuthenticator;
    readonly clock: Clock;
  },
): Promise<SignIn | undefined> {
  if (oidc === undefined) return undefined;
  const provider = new IdentityProvider({
    issuer: oidc.issuer,
    clientId: oidc.clientId,
    clientSecret: await requiredSecret(
      { kind: 'file', path: oidc.clientSecretFile },
      'TURSO_BYOC_OIDC_CLIENT_SECRET',
      1,
    ),
    redirectUri: `${oidc.publicUrl}/sign-in/callback`,
  });
  return new SignIn(provider, parts.catalog, parts.platformTokens, parts.authenticator, parts.clock);
}

/** Only a digest of the bootstrap token stays in memory. */
async function bootstrapDigestOf({ bootstrapTokenFile: path }: ControlPlaneConfig): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const token = await requiredSecret({ kind: 'file', path }, 'TURSO_BYOC_BOOTSTRAP_TOKEN', 32);
  return createHash('sha256').update(token).digest('hex');
}

/** `setting`: the variable that has the secret itself; with `_FILE` behind it names a file. Throws `SETTING_INVALID`. */
async function requiredSecret(source: SecretSource, setting: string, minLength: number): Promise<string> {
  const where = source.kind === 'file' ? `the file ${source.path} that ${setting}_FILE names` : setting;
  let secret: string;
  try {
    secret = await readSecret(source);
  } catch (cause) {
    throw new ControlPlaneError('SETTING_INVALID', `${where} cannot be read`, { cause });
  }
  if (secret.length >= minLength) return secret;
  throw new ControlPlaneError('SETTING_INVALID', `${where} holds no secret of at least ${minLength} characters`);
}
