import { parseIpv4Block } from '../ipv4-block.js';
import { when, type Rule } from '../rule.js';

export const networkRules: readonly Rule[] = [
  {
    code: 'NETWORK_ADDRESSES',
    demands: 'The network is a block of IPv4 addresses, from /16 to /22 where it is made here.',
    broken: ({ network }) => {
      const block = parseIpv4Block(network.cidr);
      if (block === undefined) {
        return when(true, 'network.cidr', `${network.cidr} is no block of addresses; write one such as 10.64.0.0/16`);
      }
      return when(
        network.kind === 'create' && (block.prefixLength < 16 || block.prefixLength > 22),
        'network.cidr',
        `a /${block.prefixLength} is no size for the network; choose a block from /16 to /22`,
      );
    },
  },
  {
    code: 'SUBNET_FOR_EACH_ZONE',
    demands: 'An imported network has one subnet for each zone.',
    broken: ({ network, zones }) => {
      if (network.kind !== 'import') return [];
      const missing = zones.filter(({ name }) => network.subnets.filter(({ zone }) => zone === name).length !== 1);
      const unknown = network.subnets.filter(({ zone }) => zones.every(({ name }) => name !== zone));
      return [
        ...missing.flatMap(({ name }) =>
          when(true, 'network.subnets', `zone ${name} does not have exactly one subnet; give it one`),
        ),
        ...unknown.flatMap(({ zone, subnetId }) =>
          when(
            true,
            'network.subnets',
            `${subnetId} is in ${zone}, which is none of the zones; remove it or add the zone`,
          ),
        ),
      ];
    },
  },
  {
    code: 'PUBLIC_SUBNET_FOR_EACH_ZONE',
    demands: 'An imported network has one public subnet for each zone where exposure is public.',
    broken: ({ network, zones, exposure }) => {
      if (network.kind !== 'import' || exposure.kind !== 'public') return [];
      const missing = zones.filter(({ name }) => network.publicSubnets.every(({ zone }) => zone !== name));
      return when(
        missing.length > 0,
        'network.publicSubnets',
        `no public subnet in ${missing.map(({ name }) => name).join(', ')}; a load balancer that the internet reaches needs one in every zone`,
      );
    },
  },
  {
    code: 'EGRESS_OF_IMPORTED_NETWORK',
    demands: 'The allow-list of egress belongs to a network that is made here.',
    broken: ({ network, egress }) =>
      when(
        network.kind === 'import' && egress.kind === 'allow-list',
        'egress.kind',
        'the routes of an imported network are its owner’s; set egress to off and let the hosts through there',
      ),
  },
  {
    code: 'EGRESS_WITHOUT_HOSTS',
    demands: 'An allow-list of egress names a host.',
    broken: ({ egress }) =>
      when(
        egress.kind === 'allow-list' && egress.hosts.length === 0,
        'egress.hosts',
        'the allow-list is empty; name the hosts, or set egress to off and save the firewall',
      ),
  },
  {
    code: 'EGRESS_AIR_GAPPED',
    demands: 'An air-gapped deployment has no egress.',
    broken: ({ airGapped, egress }) =>
      when(
        airGapped && egress.kind !== 'off',
        'egress.kind',
        'an air-gapped deployment reaches nothing; set egress to off or airGapped to false',
      ),
  },
];
