import { IntrinsicFunctions } from '../compliance/assembly/intrinsic-functions.js';
import { resourcesOf, type SynthesizedApp } from '../compliance/assembly/synthesized-app.js';
import { asList, isObject } from '../compliance/assembly/template.js';
import { prices } from './prices-2026-11.js';

/** What is paid each month although nobody uses the deployment, by kind. */
export interface FloorLine {
  readonly what: string;
  readonly quantity: number;
  /** US dollars for one of them and a month. */
  readonly each: number;
}

type Properties = Readonly<Record<string, unknown>>;
type Pricing = (properties: Properties, context: PricingContext) => readonly FloorLine[];

interface PricingContext {
  readonly app: SynthesizedApp;
  readonly functions: IntrinsicFunctions;
}

const perHour = (dollars: number) => dollars * prices.hoursPerMonth;
const one =
  (what: string, each: number): Pricing =>
  () => [{ what, quantity: 1, each }];

/** Types that cost something by being there. */
const priced: Readonly<Record<string, Pricing>> = {
  'AWS::KMS::Key': one('KMS key', prices.kmsKeyMonth),
  'AWS::SecretsManager::Secret': one('secret', prices.secretMonth),
  'AWS::Route53::HostedZone': one('hosted zone', prices.hostedZoneMonth),
  'AWS::CloudWatch::Alarm': one('alarm', prices.alarmMonth),
  'AWS::CloudWatch::CompositeAlarm': one('composite alarm', 0.5),
  'AWS::CloudWatch::Dashboard': one('dashboard', prices.dashboardMonth),
  'AWS::EC2::NatGateway': one('NAT gateway', perHour(prices.natGatewayHour)),
  'AWS::EC2::EIP': one('public IPv4 address', perHour(prices.publicAddressHour)),
  'AWS::EKS::Cluster': one('EKS cluster', perHour(prices.eksClusterHour)),
  'AWS::EC2::VPCEndpoint': ({ VpcEndpointType: type, SubnetIds: subnets }) =>
    type === 'Interface'
      ? [
          {
            what: 'interface endpoint in a zone',
            quantity: asList(subnets).length,
            each: perHour(prices.interfaceEndpointZoneHour),
          },
        ]
      : [],
  'AWS::NetworkFirewall::Firewall': ({ SubnetMappings: subnets }) => [
    {
      what: 'network firewall in a zone',
      quantity: asList(subnets).length,
      each: perHour(prices.networkFirewallEndpointHour),
    },
  ],
  'AWS::ElasticLoadBalancingV2::LoadBalancer': ({ Type: type, Scheme: scheme, Subnets: subnets }) => [
    type === 'network'
      ? { what: 'network load balancer', quantity: 1, each: perHour(prices.networkLoadBalancerHour) }
      : { what: 'application load balancer', quantity: 1, each: perHour(prices.applicationLoadBalancerHour) },
    ...(scheme === 'internet-facing'
      ? [{ what: 'public IPv4 address', quantity: asList(subnets).length, each: perHour(prices.publicAddressHour) }]
      : []),
  ],
  'AWS::WAFv2::WebACL': ({ Rules: rules }) => [
    { what: 'web ACL', quantity: 1, each: prices.webAclMonth },
    { what: 'rule of a web ACL', quantity: asList(rules).length, each: prices.webAclRuleMonth },
  ],
  'AWS::ECS::Service': fargateTasks,
};

/**
 * Types that are free, or paid by use only, by their names. Everything else has to be priced above. Groups of instances are priced by
 * `instance-floor.ts`.
 */
const free =
  /^AWS::(ApplicationAutoScaling|CDK|IAM|Logs|SNS|SQS|S3|S3Express|SSM|Events|CloudTrail|CertificateManager|ServiceDiscovery|Config)::|^AWS::AutoScaling::(AutoScalingGroup|LifecycleHook|ScalingPolicy)$|^AWS::EC2::(FlowLog|InternetGateway|LaunchTemplate|NetworkAcl.*|Route.*|SecurityGroup.*|Subnet.*|VPC|VPCCidrBlock|VPCDHCPOptionsAssociation|DHCPOptions|VPCEndpointService.*|VPCGatewayAttachment|EgressOnlyInternetGateway)$|^AWS::ECS::(Cluster.*|CapacityProvider|TaskDefinition)$|^AWS::EKS::(AccessEntry|Addon|PodIdentityAssociation)$|^AWS::ElasticLoadBalancingV2::(Listener.*|TargetGroup)$|^AWS::KMS::Alias$|^AWS::NetworkFirewall::(FirewallPolicy|RuleGroup|LoggingConfiguration)$|^AWS::Route53::RecordSet$|^AWS::SecretsManager::(ResourcePolicy|RotationSchedule|SecretTargetAttachment)$|^AWS::WAFv2::(WebACLAssociation|LoggingConfiguration)$|^AWS::Lambda::|^Custom::/;

/**
 * The lines of the monthly floor, each kind once.
 * @throws Error when a type of the templates is neither priced nor known to be free.
 */
export function monthlyFloor(app: SynthesizedApp): readonly FloorLine[] {
  const functions = new IntrinsicFunctions(app);
  const lines = resourcesOf(app).flatMap((located) => {
    const { Type: type, Properties: stated } = located.resource;
    if (free.test(type)) return [];
    const pricing = priced[type];
    if (!pricing) throw new Error(`nobody said what ${type} costs: price it in monthly-floor.ts`);
    return pricing(functions.resolve(located.stack, stated ?? {}) as Properties, { app, functions });
  });
  const metrics = customMetrics(app, functions);
  lines.push({ what: 'metric of the processes', quantity: metrics.size, each: prices.customMetricMonth });
  const merged = new Map<string, FloorLine>();
  for (const line of lines) {
    const key = `${line.what} ${line.each}`;
    const before = merged.get(key);
    merged.set(key, before ? { ...line, quantity: before.quantity + line.quantity } : line);
  }
  return [...merged.values()]
    .filter(({ quantity }) => quantity > 0)
    .sort((a, b) => b.quantity * b.each - a.quantity * a.each);
}

/** Metrics that alarms watch and no service of AWS makes: the processes write these, and no others, into their logs. */
function customMetrics(app: SynthesizedApp, functions: IntrinsicFunctions): ReadonlySet<string> {
  const found = new Set<string>();
  const add = (metric: Properties): void => {
    const { Namespace: namespace, MetricName: name } = metric;
    if (typeof namespace === 'string' && !namespace.startsWith('AWS/')) found.add(`${namespace} ${String(name)}`);
  };
  for (const { stack, resource } of resourcesOf(app, 'AWS::CloudWatch::Alarm')) {
    const alarm = functions.resolve(stack, resource.Properties ?? {}) as Properties;
    add(alarm);
    for (const query of asList(alarm['Metrics'])) {
      const stat = isObject(query) ? query['MetricStat'] : undefined;
      if (isObject(stat) && isObject(stat['Metric'])) add(stat['Metric']);
    }
  }
  return found;
}

export function floorTotal(lines: readonly FloorLine[]): number {
  return lines.reduce((sum, { quantity, each }) => sum + quantity * each, 0);
}

/** Tasks on Fargate; those on instances are paid with the instances. */
function fargateTasks(service: Properties, { app, functions }: PricingContext): readonly FloorLine[] {
  const strategies = asList(service['CapacityProviderStrategy']).filter(isObject);
  const onFargate =
    service['LaunchType'] === 'FARGATE' ||
    strategies.some(({ CapacityProvider: provider }) => String(provider).startsWith('FARGATE'));
  if (!onFargate) return [];
  const definition = resourcesOf(app, 'AWS::ECS::TaskDefinition').find(
    (candidate) => functions.namesOf(candidate).arn === service['TaskDefinition'],
  );
  if (!definition) throw new Error('the task definition of a service is in no template');
  const properties = functions.resolve(definition.stack, definition.resource.Properties ?? {}) as Properties;
  const runtime = isObject(properties['RuntimePlatform']) ? properties['RuntimePlatform'] : {};
  const price = prices.fargate[runtime['CpuArchitecture'] === 'ARM64' ? 'arm64' : 'x86_64'];
  const cpus = Number(properties['Cpu']) / 1024;
  const gib = Number(properties['Memory']) / 1024;
  const storage = isObject(properties['EphemeralStorage']) ? Number(properties['EphemeralStorage']['SizeInGiB']) : 0;
  const paidStorage = Math.max(0, storage - prices.fargate.storageFreeGib);
  const hour = cpus * price.cpuHour + gib * price.gibHour + paidStorage * prices.fargate.storageGibHour;
  const count = Number(service['DesiredCount'] ?? 1);
  return [{ what: `Fargate task of ${cpus} CPU, ${gib} GiB`, quantity: count, each: perHour(hour) }];
}
