import type { EksCompute, Resolved, ResolvedConfiguration } from './deployment-configuration.js';
import { DeploymentNames } from './deployment-names.js';
import { apiHost } from './hosts.js';
import { kubernetes } from './kubernetes.js';
import { placements } from './placements.js';
import { ports } from './ports.js';
import { loadBalancerBlocks } from './process-environment.js';
import { storeUrls } from './store-urls.js';
import { traceCollectorCidrs, tracedShare } from './trace-collector.js';

/** Outputs of the `eks` stack that the chart and its surroundings need. */
export interface EksOutputs {
  readonly DatabasesKeyArn: string;
  readonly NodesTargetGroupArn: string;
  readonly ControlTargetGroupArn: string;
}

/** An image without its digest, and the digest. */
function imageParts(image: string): { readonly repository: string; readonly digest: string } {
  const [repository = '', digest = ''] = image.split('@');
  return { repository, digest };
}

/** Values of the Helm chart `charts/turso-byoc` for a deployment. JSON is YAML, so Helm takes them as they are. */
export function chartValues(configuration: ResolvedConfiguration, outputs: EksOutputs): object {
  const { region, domain, images, dataNodes, controlPlane, retention } = configuration;
  const stores = storeUrls(configuration);
  const places = placements(configuration);
  const isZonal = configuration.log.kind !== 'standard';
  const [first] = places;
  return {
    region,
    stores: { data: stores.data, log: stores.log.split(' '), control: stores.control, audit: stores.audit },
    keyService: `kms:${outputs.DatabasesKeyArn}?region=${region}`,
    zones: isZonal ? places.map(({ name }) => name) : [],
    hostname: domain.name,
    apiHostname: apiHost(domain.name),
    images: { dataNode: imageParts(images.dataPlane), controlPlane: imageParts(images.controlPlane) },
    secrets: { existingSecret: `${kubernetes.release}-secrets` },
    serviceAccounts: {
      dataNode: { name: kubernetes.serviceAccounts['data-node'] },
      controlPlane: { name: kubernetes.serviceAccounts['control-plane'] },
    },
    dataNode: {
      replicas: first?.minimum ?? dataNodes.minimum,
      settings: {
        TURSO_BYOC_COMMIT_WINDOW_MS: String(dataNodes.commitWindowMs),
        TURSO_BYOC_HISTORY_DAYS: String(retention.pointInTimeDays),
        TURSO_BYOC_TRUSTED_PROXIES: loadBalancerBlocks(configuration).join(' '),
        TURSO_BYOC_UNDELETE_DAYS: String(retention.undeleteDays),
      },
      resources: {
        requests: resources(dataNodes.cpuUnits, dataNodes.memoryMiB, dataNodes.cacheGiB),
        limits: resources(dataNodes.cpuUnits, dataNodes.memoryMiB, dataNodes.cacheGiB + 4),
      },
      cacheSize: `${dataNodes.cacheGiB}Gi`,
      drain: { delaySeconds: dataNodes.drainDelaySeconds },
      autoscaling: {
        enabled: true,
        minReplicas: first?.minimum ?? dataNodes.minimum,
        maxReplicas: first?.maximum ?? dataNodes.maximum,
        targetCpuPercent: dataNodes.targetCpuPercent,
      },
    },
    controlPlane: {
      replicas: controlPlane.count,
      settings: { TURSO_BYOC_TRUSTED_PROXIES: loadBalancerBlocks(configuration).join(' ') },
    },
    ...traceValues(configuration),
  };
}

/** The collector of traces, if there is one, and the way to it through the network policies. */
function traceValues(configuration: ResolvedConfiguration): object {
  const { traces } = configuration;
  if (traces.kind === 'off') return {};
  return {
    traces: {
      endpoint: traces.endpoint,
      share: tracedShare(configuration),
    },
    networkPolicy: {
      traceCollectors: traceCollectorCidrs(configuration).map((cidr) => ({ ipBlock: { cidr } })),
    },
  };
}

function resources(cpuUnits: number, memoryMiB: number, diskGiB: number): Readonly<Record<string, string>> {
  return { cpu: `${(cpuUnits * 1000) / 1024}m`, memory: `${memoryMiB}Mi`, 'ephemeral-storage': `${diskGiB}Gi` };
}

/**
 * What stands beside the chart in a cluster of the CDK's: the instances that pods run on, and which pods the load balancer outside of
 * the cluster sends requests to. A list that `kubectl apply` takes.
 */
export function clusterManifests(
  configuration: ResolvedConfiguration,
  compute: Resolved<EksCompute>,
  outputs: EksOutputs,
): object {
  const names = new DeploymentNames(configuration);
  const targets = (name: string, serviceName: string, servicePort: number, targetGroupARN: string): object => ({
    apiVersion: 'eks.amazonaws.com/v1',
    kind: 'TargetGroupBinding',
    metadata: { name, namespace: kubernetes.namespace },
    spec: { serviceRef: { name: serviceName, port: servicePort }, targetGroupARN, targetType: 'ip' },
  });
  return {
    apiVersion: 'v1',
    kind: 'List',
    items: [
      {
        apiVersion: 'karpenter.sh/v1',
        kind: 'NodePool',
        metadata: { name: names.prefix },
        spec: {
          template: {
            spec: {
              nodeClassRef: { group: 'eks.amazonaws.com', kind: 'NodeClass', name: 'default' },
              expireAfter: '720h',
              requirements: [
                { key: 'node.kubernetes.io/instance-type', operator: 'In', values: [compute.instanceType] },
                {
                  key: 'kubernetes.io/arch',
                  operator: 'In',
                  values: [compute.architecture === 'arm64' ? 'arm64' : 'amd64'],
                },
                {
                  key: 'topology.kubernetes.io/zone',
                  operator: 'In',
                  values: configuration.zones.map(({ name }) => name),
                },
                { key: 'karpenter.sh/capacity-type', operator: 'In', values: ['on-demand'] },
              ],
            },
          },
          disruption: { consolidationPolicy: 'WhenEmptyOrUnderutilized', consolidateAfter: '15m' },
        },
      },
      targets('data', kubernetes.serviceAccounts['data-node'], ports.sql, outputs.NodesTargetGroupArn),
      targets('control', kubernetes.serviceAccounts['control-plane'], ports.api, outputs.ControlTargetGroupArn),
    ],
  };
}
