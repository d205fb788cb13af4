import type { ResolvedConfiguration } from '../../config/deployment-configuration.js';
import { placements } from '../../config/placements.js';
import { resourcesOf, type SynthesizedApp } from '../../compliance/assembly/synthesized-app.js';
import type { AwsAccount } from '../aws-account.js';
import { ok, problem, unknown, type Finding } from '../finding.js';

interface Need {
  readonly what: string;
  readonly service: string;
  readonly code: string;
  readonly amount: number;
  /** What the account uses already; only where that can be asked for cheaply. */
  readonly used?: (aws: AwsAccount) => ReturnType<AwsAccount['vpcCount']>;
}

/** Whether the limits of the account leave room for what was synthesized. */
export async function checkQuotas(
  configuration: ResolvedConfiguration,
  app: SynthesizedApp,
  aws: AwsAccount,
): Promise<readonly Finding[]> {
  return Promise.all(needsOf(configuration, app).map((need) => quotaFinding(need, aws)));
}

export function needsOf(configuration: ResolvedConfiguration, app: SynthesizedApp): readonly Need[] {
  const count = (...types: readonly string[]) => resourcesOf(app, ...types).length;
  const interfaces = resourcesOf(app, 'AWS::EC2::VPCEndpoint').filter(
    ({ resource }) => resource.Properties?.['VpcEndpointType'] === 'Interface',
  ).length;
  const nodes = placements(configuration).reduce((sum, { maximum }) => sum + maximum, 0);
  // While services are rolled there may be twice as many for a moment; scaling counts at its upper end.
  const dataCpus = (nodes * configuration.dataNodes.cpuUnits) / 1024;
  const controlCpus = (2 * configuration.controlPlane.count * configuration.controlPlane.cpuUnits) / 1024;
  const needs: readonly Need[] = [
    {
      what: 'networks in the region',
      service: 'vpc',
      code: 'L-F678F1CE',
      amount: count('AWS::EC2::VPC'),
      used: (aws) => aws.vpcCount(),
    },
    { what: 'interface endpoints in one network', service: 'vpc', code: 'L-29B6F2EB', amount: interfaces },
    {
      what: 'gateway endpoints in the region',
      service: 'vpc',
      code: 'L-1B52E74A',
      amount: count('AWS::EC2::VPCEndpoint') - interfaces,
    },
    {
      what: 'virtual CPUs of Fargate tasks',
      service: 'fargate',
      code: 'L-3032A538',
      amount:
        configuration.compute.kind === 'ecs-fargate'
          ? dataCpus + controlCpus
          : configuration.compute.kind === 'ecs-ec2'
            ? controlCpus
            : 0,
    },
    {
      what: 'virtual CPUs of standard instances',
      service: 'ec2',
      code: 'L-1216C47A',
      amount: configuration.compute.kind === 'ecs-fargate' ? 0 : dataCpus,
    },
    { what: 'S3 buckets', service: 's3', code: 'L-DC2B2D3D', amount: count('AWS::S3::Bucket') },
    { what: 'roles', service: 'iam', code: 'L-FE177D64', amount: count('AWS::IAM::Role') },
  ];
  return needs.filter(({ amount }) => amount > 0);
}

async function quotaFinding({ what, service, code, amount, used }: Need, aws: AwsAccount): Promise<Finding> {
  const check = 'quotas';
  const [limit, inUse] = await Promise.all([aws.quota(service, code), used?.(aws)]);
  const needed = Math.ceil(amount);
  if (!limit.known) {
    return unknown(
      check,
      `${needed} ${what} are needed; the limit could not be read (${limit.why})`,
      `Look up ${code} of ${service} in Service Quotas.`,
    );
  }
  const taken = inUse?.known === true ? inUse.value : 0;
  const room = limit.value - taken;
  const fix = `Ask for more of ${code} of ${service} in Service Quotas: at least ${taken + needed}.`;
  if (needed > room) return problem(check, `${needed} ${what} are needed, ${room} of ${limit.value} are left`, fix);
  return ok(check, `${needed} ${what} of ${limit.value}${taken > 0 ? `, ${taken} of which are in use` : ''}`);
}
