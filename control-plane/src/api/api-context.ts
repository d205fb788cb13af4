import type { PlatformAuthenticator } from '../auth/platform-authenticator.js';
import type { PlatformTokens } from '../auth/platform-tokens.js';
import type { TokenMinter } from '../auth/token-minter.js';
import type { CatalogConnection } from '../catalog/catalog-connection.js';
import type { Clock } from '../clock.js';
import type { DatabaseLifecycle } from '../databases/database-lifecycle.js';
import type { Reconciler } from '../databases/reconciler.js';

/** What the routes of the Platform API work with. */
export interface ApiContext {
  readonly catalog: CatalogConnection;
  readonly lifecycle: DatabaseLifecycle;
  readonly reconciler: Reconciler;
  readonly minter: TokenMinter;
  readonly platformTokens: PlatformTokens;
  readonly authenticator: PlatformAuthenticator;
  readonly clock: Clock;
  /** The one organization of this deployment. */
  readonly organization: string;
  readonly hostnameSuffix: string;
  readonly primaryRegion: string;
  /** Release of this product, such as `0.1.0`. */
  readonly release: string;
  /** Whether a load balancer should send calls here: the catalog answers. */
  readonly isReady: () => boolean;
}
