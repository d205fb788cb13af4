/** Puts the defaults in place that `deployment-configuration.ts` documents; a test compares the two. */
import type {
  ComplianceConfiguration,
  ComputeConfiguration,
  DeploymentConfiguration,
  ExposureConfiguration,
  NetworkConfiguration,
  Resolved,
  ResolvedConfiguration,
  TraceConfiguration,
} from './deployment-configuration.js';

/** The configuration with nothing left out. It is not validated here: see `validateConfiguration`. */
export function withDefaults(configuration: DeploymentConfiguration): ResolvedConfiguration {
  const { dataNodes, controlPlane, keys, retention, alarms, emergency } = configuration;
  return {
    name: configuration.name,
    account: configuration.account,
    region: configuration.region,
    zones: configuration.zones,
    compute: resolvedCompute(configuration.compute),
    dataNodes: {
      cpuUnits: 2048,
      memoryMiB: 8192,
      cacheGiB: 50,
      minimum: 3,
      maximum: 12,
      targetCpuPercent: 60,
      commitWindowMs: 10,
      drainDelaySeconds: 30,
      ...dataNodes,
    },
    controlPlane: { cpuUnits: 512, memoryMiB: 1024, count: 2, ...controlPlane },
    network: resolvedNetwork(configuration.network ?? { kind: 'create' }),
    exposure: resolvedExposure(configuration.exposure ?? { kind: 'private' }),
    domain: configuration.domain,
    log: configuration.log,
    keys: {
      databases: { kind: 'create' },
      groups: [],
      administratorRoleArns: [],
      auditorRoleArns: [],
      deletionWindowDays: 30,
      rotationDays: 365,
      ...keys,
    },
    tokens: { signingKey: 'kms', ...configuration.tokens },
    retention: {
      pointInTimeDays: 35,
      undeleteDays: 7,
      auditDays: 365,
      auditLock: 'governance',
      logDays: 365,
      ...retention,
    },
    alarms: { emailAddresses: [], topicArns: [], runbookBase: 'docs/runbooks', ...alarms },
    permissionsBoundary: configuration.permissionsBoundary ?? { kind: 'create' },
    emergency: { enabled: false, principalArns: [], ...emergency },
    compliance: resolvedCompliance(configuration.compliance ?? {}),
    images: configuration.images,
    egress: configuration.egress ?? { kind: 'off' },
    traces: resolvedTraces(configuration.traces ?? { kind: 'off' }),
    airGapped: configuration.airGapped ?? false,
    trustedAccounts: configuration.trustedAccounts ?? [],
    tags: configuration.tags ?? {},
    removalProtection: configuration.removalProtection ?? true,
  };
}

function resolvedCompute(compute: ComputeConfiguration): Resolved<ComputeConfiguration> {
  switch (compute.kind) {
    case 'ecs-fargate':
      return { architecture: 'arm64', ...compute };
    case 'ecs-ec2':
      return { instanceType: 'm7gd.xlarge', architecture: 'arm64', ...compute };
    case 'eks':
      return {
        version: '1.33',
        instanceType: 'm7g.xlarge',
        architecture: 'arm64',
        administratorRoleArns: [],
        ...compute,
      };
  }
}

function resolvedNetwork(network: NetworkConfiguration): Resolved<NetworkConfiguration> {
  return network.kind === 'create'
    ? { cidr: '10.64.0.0/16', ...network }
    : { publicSubnets: [], endpoints: 'create', ...network };
}

function resolvedExposure(exposure: ExposureConfiguration): Resolved<ExposureConfiguration> {
  switch (exposure.kind) {
    case 'private':
      return { allowedCidrs: [], ...exposure };
    case 'public':
      return { allowedCidrs: ['0.0.0.0/0'], requestsPerAddress: 100_000, ...exposure };
    case 'privatelink':
      return { acceptanceRequired: true, ...exposure };
  }
}

function resolvedTraces(traces: TraceConfiguration): Resolved<TraceConfiguration> {
  return traces.kind === 'off' ? traces : { cidrs: [], sampledPercent: 1, ...traces };
}

function resolvedCompliance(compliance: ComplianceConfiguration): Resolved<ComplianceConfiguration> {
  return { trail: 'create', configRecorder: 'present', conformancePacks: [], ...compliance };
}
