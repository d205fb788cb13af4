import type { ResolvedConfiguration } from '../../config/deployment-configuration.js';
import { placements } from '../../config/placements.js';
import type { AwsAccount } from '../aws-account.js';
import { ok, problem, unknown, type Finding } from '../finding.js';

/** Addresses that a subnet must have left beside those of the nodes: load balancer, endpoints, rolling. */
const spareAddresses = 32;

/** Whether an imported network has the subnets that the configuration names, with room in them. */
export async function checkNetwork(configuration: ResolvedConfiguration, aws: AwsAccount): Promise<readonly Finding[]> {
  const check = 'network';
  const { network } = configuration;
  if (network.kind !== 'import') return [];
  const answer = await aws.subnets(network.vpcId);
  if (!answer.known) {
    return [
      unknown(
        check,
        `${network.vpcId} could not be read (${answer.why})`,
        'Allow ec2:DescribeVpcs and ec2:DescribeSubnets.',
      ),
    ];
  }
  if (answer.value === 'missing') {
    return [
      problem(
        check,
        `there is no ${network.vpcId} in this region`,
        'Write the id of a VPC of this account and region.',
      ),
    ];
  }
  const found = answer.value;
  const nodes = placements(configuration);
  return [...network.subnets, ...network.publicSubnets].map(({ zone, subnetId }) => {
    const subnet = found.find(({ id }) => id === subnetId);
    if (!subnet) return problem(check, `${network.vpcId} has no ${subnetId}`, 'Correct subnetId in network.');
    if (subnet.zone !== zone) {
      return problem(check, `${subnetId} is in ${subnet.zone}, not in ${zone}`, `Write zone: '${subnet.zone}' for it.`);
    }
    const here = nodes.filter(({ zones }) => zones.some(({ name }) => name === zone));
    const needed =
      spareAddresses + here.reduce((sum, { maximum, zones }) => sum + Math.ceil(maximum / zones.length), 0);
    return subnet.freeAddresses >= needed
      ? ok(check, `${subnetId} has ${subnet.freeAddresses} free addresses`)
      : problem(
          check,
          `${subnetId} has ${subnet.freeAddresses} free addresses, ${needed} may be needed`,
          'Use a larger subnet, or fewer nodes at the most.',
        );
  });
}
