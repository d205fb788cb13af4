/**
 * List prices of AWS in US dollars, us-east-1, on demand, without taxes, discounts and free tiers, as published in November 2026.
 * Other regions differ by up to a third. A new date is a new file; `cost.ts` names the one that is used.
 *
 * An hour is one of the 730 of a month, a month's gigabytes are 2^30 bytes each.
 */
export const prices = {
  asOf: '2026-11',
  region: 'us-east-1',
  hoursPerMonth: 730,

  fargate: {
    arm64: { cpuHour: 0.03238, gibHour: 0.00356 },
    x86_64: { cpuHour: 0.04048, gibHour: 0.004445 },
    /** Ephemeral storage beyond the first 20 GiB of a task. */
    storageGibHour: 0.000111,
    storageFreeGib: 20,
  },
  /** Instances by type. One that is missing has to be entered before its deployment can be priced. */
  instances: {
    'c7g.xlarge': { hour: 0.145, cpus: 4, gib: 8 },
    'c7g.2xlarge': { hour: 0.29, cpus: 8, gib: 16 },
    'c7gd.xlarge': { hour: 0.1814, cpus: 4, gib: 8 },
    'm6i.xlarge': { hour: 0.192, cpus: 4, gib: 16 },
    'm7g.large': { hour: 0.0816, cpus: 2, gib: 8 },
    'm7g.xlarge': { hour: 0.1632, cpus: 4, gib: 16 },
    'm7g.2xlarge': { hour: 0.3264, cpus: 8, gib: 32 },
    'm7gd.large': { hour: 0.1068, cpus: 2, gib: 8 },
    'm7gd.xlarge': { hour: 0.2136, cpus: 4, gib: 16 },
    'm7gd.2xlarge': { hour: 0.4271, cpus: 8, gib: 32 },
    'm7gd.4xlarge': { hour: 0.8543, cpus: 16, gib: 64 },
    'm7i.xlarge': { hour: 0.2016, cpus: 4, gib: 16 },
    'r7gd.xlarge': { hour: 0.2722, cpus: 4, gib: 32 },
  } as Readonly<Record<string, { readonly hour: number; readonly cpus: number; readonly gib: number }>>,
  eksClusterHour: 0.1,
  gp3GibMonth: 0.08,

  interfaceEndpointZoneHour: 0.01,
  natGatewayHour: 0.045,
  networkFirewallEndpointHour: 0.395,
  publicAddressHour: 0.005,
  applicationLoadBalancerHour: 0.0225,
  networkLoadBalancerHour: 0.0225,

  kmsKeyMonth: 1,
  kmsRequest: 0.03 / 10_000,
  secretMonth: 0.4,
  hostedZoneMonth: 0.5,
  webAclMonth: 5,
  webAclRuleMonth: 1,
  alarmMonth: 0.1,
  /** Of the first 10,000; metrics that AWS services make themselves are free. */
  customMetricMonth: 0.3,
  dashboardMonth: 3,
  logIngestedGib: 0.5,
  trailDataEvent: 0.1 / 100_000,

  standard: { write: 0.005 / 1000, read: 0.0004 / 1000, gibMonth: 0.023, uploadedGib: 0, retrievedGib: 0 },
  express: { write: 0.00113 / 1000, read: 0.00003 / 1000, gibMonth: 0.11, uploadedGib: 0.0032, retrievedGib: 0.0006 },
} as const;
