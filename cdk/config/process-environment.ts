/** The environment of both servers in AWS (docs/settings.md), whichever compute runs them. */
import { subnetCidr } from './address-plan.js';
import type { ResolvedConfiguration } from './deployment-configuration.js';
import { DeploymentNames } from './deployment-names.js';
import { ports } from './ports.js';
import { storeUrls } from './store-urls.js';
import { tracedShare } from './trace-collector.js';

/** The one directory in the containers that may be written to: the image declares it as a volume of its user. */
export const cacheDirectory = '/cache';

/** Where the metrics of the deployment's processes are in CloudWatch. */
export function embeddedMetricsNamespace({ name }: Pick<ResolvedConfiguration, 'name'>): string {
  return `TursoByoc/${name}`;
}

/** How long a data node may take to stop before it is killed: its delay, what transactions may still take, and a margin. */
export function stopTimeoutSeconds({ dataNodes }: ResolvedConfiguration): number {
  return dataNodes.drainDelaySeconds + 15 + 15;
}

/** Settings of traces, the same for both planes; none when nothing is traced. */
function traceEnvironment(configuration: ResolvedConfiguration): Readonly<Record<string, string>> {
  const { name, traces } = configuration;
  if (traces.kind === 'off') return {};
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: traces.endpoint,
    OTEL_RESOURCE_ATTRIBUTES: `deployment.environment.name=${name}`,
    OTEL_TRACES_SAMPLER_ARG: String(tracedShare(configuration)),
  };
}

/** Settings of a data node that are no secrets. */
export function dataNodeEnvironment(
  configuration: ResolvedConfiguration,
  databasesKeyArn: string,
): Readonly<Record<string, string>> {
  const { region, dataNodes, retention } = configuration;
  const stores = storeUrls(configuration);
  return {
    AWS_REGION: region,
    NODE_ENV: 'production',
    ...traceEnvironment(configuration),
    TURSO_BYOC_ADMIN_HOST: '0.0.0.0',
    TURSO_BYOC_ADMIN_PORT: String(ports.admin),
    TURSO_BYOC_CACHE_DIR: cacheDirectory,
    TURSO_BYOC_COMMIT_WINDOW_MS: String(dataNodes.commitWindowMs),
    TURSO_BYOC_CONTROL_STORE: stores.control,
    TURSO_BYOC_DATA_STORE: stores.data,
    TURSO_BYOC_DRAIN_DELAY_MS: String(dataNodes.drainDelaySeconds * 1000),
    TURSO_BYOC_EMBEDDED_METRICS: embeddedMetricsNamespace(configuration),
    TURSO_BYOC_HISTORY_DAYS: String(retention.pointInTimeDays),
    TURSO_BYOC_HTTP_HOST: '0.0.0.0',
    TURSO_BYOC_HTTP_PORT: String(ports.sql),
    TURSO_BYOC_KEY_SERVICE: `kms:${databasesKeyArn}?region=${region}`,
    TURSO_BYOC_LOG_STORE: stores.log,
    TURSO_BYOC_TRUSTED_PROXIES: loadBalancerBlocks(configuration).join(' '),
    TURSO_BYOC_UNDELETE_DAYS: String(retention.undeleteDays),
  };
}

/**
 * Where the load balancer is, which both servers believe when it says who a client is. In a network that was made elsewhere its subnets are
 * known by id only: there it is nobody, lists of addresses let no client in, and the audit log has the load balancer's address.
 */
export function loadBalancerBlocks({ network, zones }: ResolvedConfiguration): readonly string[] {
  return network.kind === 'create' ? zones.map((_, index) => subnetCidr(network.cidr, 'edge', index)) : [];
}

/** Settings of the control plane that are no secrets. */
export function controlPlaneEnvironment(
  configuration: ResolvedConfiguration,
  signingKeyArn: string | undefined,
): Readonly<Record<string, string>> {
  const { region, domain } = configuration;
  const { dataNodesHost } = new DeploymentNames(configuration);
  const stores = storeUrls(configuration);
  return {
    AWS_REGION: region,
    NODE_ENV: 'production',
    ...traceEnvironment(configuration),
    TURSO_BYOC_ADMIN_URL: `http://${dataNodesHost}:${ports.admin}`,
    TURSO_BYOC_API_HOST: '0.0.0.0',
    TURSO_BYOC_API_PORT: String(ports.api),
    TURSO_BYOC_AUDIT_STORE: stores.audit,
    TURSO_BYOC_CONTROL_STORE: stores.control,
    TURSO_BYOC_DATA_URL: `http://${dataNodesHost}:${ports.sql}`,
    TURSO_BYOC_EMBEDDED_METRICS: embeddedMetricsNamespace(configuration),
    TURSO_BYOC_HOSTNAME_SUFFIX: domain.name,
    TURSO_BYOC_PRIMARY_REGION: `aws-${region}`,
    TURSO_BYOC_TRUSTED_PROXIES: loadBalancerBlocks(configuration).join(' '),
    ...(signingKeyArn !== undefined && { TURSO_BYOC_SIGNING_KEY: `kms:${signingKeyArn}?region=${region}` }),
  };
}
