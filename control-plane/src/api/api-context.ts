import type { Tracing } from '@turso-byoc/data-plane/tracing/tracing.js';
import type { AccessRulesPublisher } from '../access/access-rules-publisher.js';
import type { AuditLog } from '../audit/audit-log.js';
import type { PlatformAuthenticator } from '../auth/platform-authenticator.js';
import type { PlatformTokens } from '../auth/platform-tokens.js';
import type { TokenMinter } from '../auth/token-minter.js';
import type { CatalogConnection } from '../catalog/catalog-connection.js';
import type { RememberedGroups } from '../catalog/remembered-groups.js';
import type { Clock } from '../clock.js';
import type { AdminClient } from '../data-node/admin-client.js';
import type { DatabaseLifecycle } from '../databases/database-lifecycle.js';
import type { Reconciler } from '../databases/reconciler.js';
import type { Operations } from '../fleet/operations.js';
import type { Limiter } from '../limits/limiter.js';
import type { ControlMetrics } from '../metering/control-metrics.js';
import type { UsageCollector } from '../metering/usage-collector.js';
import type { SignIn } from '../sign-in/sign-in.js';

/** What the routes of the Platform API work with. */
export interface ApiContext {
  readonly catalog: CatalogConnection;
  readonly admin: AdminClient;
  readonly lifecycle: DatabaseLifecycle;
  readonly reconciler: Reconciler;
  readonly minter: TokenMinter;
  readonly platformTokens: PlatformTokens;
  readonly authenticator: PlatformAuthenticator;
  readonly accessRules: AccessRulesPublisher;
  readonly audit: AuditLog;
  readonly limiter: Limiter;
  readonly metrics: ControlMetrics;
  /** Absent when nothing is traced. */
  readonly tracing?: Tracing | undefined;
  readonly groups: RememberedGroups;
  readonly operations: Operations;
  readonly usage: Pick<UsageCollector, 'refresh'>;
  /** Absent where no identity provider is set up. */
  readonly signIn?: SignIn;
  /** Where people reach the Platform API. */
  readonly publicUrl?: string;
  /** SHA-256 of the bootstrap token, hex; absent where none is set up. */
  readonly bootstrapDigest?: string;
  /** Addresses and CIDR blocks of load balancers that are believed when they say who a client is. @default none */
  readonly trustedProxies?: readonly string[];
  readonly clock: Clock;
  /** The organization that the deployment began with; the first administrator owns it. */
  readonly organization: string;
  readonly hostnameSuffix: string;
  readonly primaryRegion: string;
  /** Release of this product, such as `0.1.0`. */
  readonly release: string;
  /** Whether a load balancer should send calls here: the catalog answers. */
  readonly isReady: () => boolean;
}
