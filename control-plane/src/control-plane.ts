import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { readSecret, type SecretSource } from '@turso-byoc/data-plane/node/secret-source.js';
import { LocalObjectStore } from '@turso-byoc/data-plane/object-store/local-object-store.js';
import { buildPlatformApi } from './api/platform-api.js';
import { PlatformAuthenticator } from './auth/platform-authenticator.js';
import { PlatformTokens } from './auth/platform-tokens.js';
import { TokenMinter } from './auth/token-minter.js';
import { openTokenSigner } from './auth/token-signer.js';
import { publishVerificationKey } from './auth/verification-keys.js';
import { findApiTokenName } from './catalog/api-tokens.js';
import { openCatalog } from './catalog/open-catalog.js';
import type { Clock } from './clock.js';
import type { ControlPlaneConfig } from './config.js';
import { AdminClient } from './data-node/admin-client.js';
import { DatabaseLifecycle, type StepObserver } from './databases/database-lifecycle.js';
import { Reconciler } from './databases/reconciler.js';
import { ControlPlaneError } from './errors/catalogue.js';
import { organization } from './organization.js';
import { release } from './release.js';

/** How long a call of the Platform API waits for a data plane that is away: longer than a data node's restart. */
const retryBudgetMs = 15_000;
const startBudgetMs = 60_000;
const attemptTimeoutMs = 10_000;

export interface ControlPlane {
  readonly apiPort: number;
  readonly platformTokens: PlatformTokens;
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
  const signer = await openTokenSigner(config.signingKey);
  const credential = await readCredential(config.adminCredential);
  const store = await LocalObjectStore.open(config.controlStoreDirectory);
  const keySet = await publishVerificationKey(store, signer);
  const minter = new TokenMinter(signer, clock);
  const admin = new AdminClient({ url: config.adminUrl, credential, clock, retryBudgetMs, attemptTimeoutMs });
  const catalog = await openCatalog({
    admin,
    minter,
    clock,
    dataUrl: config.dataUrl,
    organization,
    primaryRegion: config.primaryRegion,
    startBudgetMs,
    retryBudgetMs,
    attemptTimeoutMs,
    signal,
  });
  const authenticator = new PlatformAuthenticator(keySet, async (id) => findApiTokenName(catalog, id), clock);
  const lifecycle = new DatabaseLifecycle(catalog, admin, clock, options.observe);
  const reconciler = new Reconciler(catalog, lifecycle, clock, logger);
  const platformTokens = new PlatformTokens(catalog, minter, authenticator, clock);
  const api = buildPlatformApi(
    {
      catalog,
      lifecycle,
      reconciler,
      minter,
      platformTokens,
      authenticator,
      clock,
      organization,
      hostnameSuffix: config.hostnameSuffix,
      primaryRegion: config.primaryRegion,
      release,
    },
    logger,
  );
  await api.listen({ host: config.apiHost, port: config.apiPort });
  reconciler.wake();
  return {
    apiPort: (api.server.address() as AddressInfo).port,
    platformTokens,
    stop: async () => {
      await api.close();
      await reconciler.stop();
      catalog.close();
    },
  };
}

async function readCredential(source: SecretSource): Promise<string> {
  const credential = await readSecret(source);
  if (credential.length < 16) {
    const where =
      source.kind === 'file'
        ? `the file ${source.path} that TURSO_BYOC_ADMIN_CREDENTIAL_FILE names`
        : 'TURSO_BYOC_ADMIN_CREDENTIAL';
    throw new ControlPlaneError('SETTING_INVALID', `${where} holds no secret of at least 16 characters`);
  }
  return credential;
}
