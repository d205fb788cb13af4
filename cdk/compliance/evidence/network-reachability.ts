import type { IntrinsicFunctions } from '../assembly/intrinsic-functions.js';
import { resourcesOf, type LocatedResource, type SynthesizedApp } from '../assembly/synthesized-app.js';
import { asList, isObject, scalarText, type JsonObject } from '../assembly/template.js';
import { evidenceSection, type EvidenceSection } from './evidence-section.js';

const gatewayTypes = ['AWS::EC2::InternetGateway', 'AWS::EC2::NatGateway', 'AWS::EC2::EgressOnlyInternetGateway'];
const everywhere = new Set(['0.0.0.0/0', '::/0']);

/** What can reach the deployment, and what it can reach. */
export function networkReachability(app: SynthesizedApp, functions: IntrinsicFunctions): EvidenceSection {
  const properties = ({ stack, resource }: LocatedResource) =>
    functions.resolve(stack, resource.Properties ?? {}) as JsonObject;
  const name = (located: LocatedResource) => functions.namesOf(located).ref;

  const gateways = resourcesOf(app, ...gatewayTypes);
  const routes = resourcesOf(app, 'AWS::EC2::Route').filter((route) =>
    everywhere.has(String(properties(route)['DestinationCidrBlock'] ?? properties(route)['DestinationIpv6CidrBlock'])),
  );
  const balancers = resourcesOf(app, 'AWS::ElasticLoadBalancingV2::LoadBalancer');
  const open = balancers.filter((balancer) => properties(balancer)['Scheme'] !== 'internal');
  const endpoints = resourcesOf(app, 'AWS::EC2::VPCEndpoint');
  const services = resourcesOf(app, 'AWS::EC2::VPCEndpointService');
  const rules = [...groupRules(app, properties, name), ...separateRules(app, properties)];
  const fromEverywhere = rules.filter(({ direction, peer }) => direction === 'in' && everywhere.has(peer));
  const toEverywhere = rules.filter(({ direction, peer }) => direction === 'out' && everywhere.has(peer));

  return evidenceSection({
    id: 'network-reachability',
    title: 'Network reachability',
    statement: [
      gateways.length === 0 && routes.length === 0
        ? 'The templates create no internet gateway, no NAT gateway and no route to everywhere: what runs in the network cannot reach the internet and cannot be reached from it.'
        : `The templates create ${gateways.length} gateways to the internet and ${routes.length} routes to everywhere; each is listed below.`,
      open.length === 0
        ? 'No load balancer faces the internet.'
        : `Load balancers that face the internet: ${open.map((balancer) => scalarText(properties(balancer)['Name'], name(balancer))).join(', ')}.`,
      fromEverywhere.length === 0
        ? 'No security group admits all addresses.'
        : `Security groups that admit all addresses: ${fromEverywhere.map(({ group, ports }) => `${group} (${ports})`).join(', ')}.`,
      toEverywhere.length === 0
        ? 'No security group lets out to all addresses.'
        : `Security groups that let out to all addresses, which only routes then limit: ${toEverywhere.map(({ group, ports }) => `${group} (${ports})`).join(', ')}.`,
      `AWS services are reached through ${endpoints.length} VPC endpoints, each with a policy listed in the IAM inventory.`,
      'Routes of an imported network are not part of the templates; with an imported network this page speaks of what is created beside it.',
    ],
    columns: ['Kind', 'Name', 'From', 'To', 'Ports'],
    rows: [
      ...gateways.map((gateway) => [gateway.resource.Type, name(gateway), 'internet', 'network', '']),
      ...routes.map((route) => [
        'route to everywhere',
        route.logicalId,
        scalarText(properties(route)['RouteTableId']),
        target(properties(route)),
        '',
      ]),
      ...balancers.map((balancer) => [
        'load balancer',
        scalarText(properties(balancer)['Name'], balancer.logicalId),
        properties(balancer)['Scheme'] === 'internal' ? 'network' : 'internet',
        'targets',
        '',
      ]),
      ...services.map((service) => [
        'endpoint service',
        service.logicalId,
        'accounts that are allowed',
        'load balancer',
        '',
      ]),
      ...endpoints.map((endpoint) => [
        `${scalarText(properties(endpoint)['VpcEndpointType'], 'Gateway').toLowerCase()} endpoint`,
        endpoint.logicalId,
        'network',
        serviceOf(properties(endpoint)['ServiceName']),
        '443',
      ]),
      ...rules.map(({ group, direction, peer, ports }) =>
        direction === 'in'
          ? ['security group rule', group, peer, group, ports]
          : ['security group rule', group, group, peer, ports],
      ),
    ],
  });
}

interface GroupRule {
  readonly group: string;
  readonly direction: 'in' | 'out';
  readonly peer: string;
  readonly ports: string;
}

function groupRules(
  app: SynthesizedApp,
  properties: (located: LocatedResource) => JsonObject,
  name: (located: LocatedResource) => string,
): readonly GroupRule[] {
  return resourcesOf(app, 'AWS::EC2::SecurityGroup').flatMap((group) => {
    const stated = properties(group);
    const label = `${group.logicalId} (${name(group)})`;
    return [
      ...asList(stated['SecurityGroupIngress'])
        .filter(isObject)
        .map((rule) => groupRule(label, 'in', rule)),
      ...asList(stated['SecurityGroupEgress'])
        .filter(isObject)
        .map((rule) => groupRule(label, 'out', rule)),
    ];
  });
}

function separateRules(
  app: SynthesizedApp,
  properties: (located: LocatedResource) => JsonObject,
): readonly GroupRule[] {
  const of = (type: string, direction: 'in' | 'out') =>
    resourcesOf(app, type)
      .map(properties)
      .map((rule) => groupRule(scalarText(rule['GroupId']), direction, rule));
  return [...of('AWS::EC2::SecurityGroupIngress', 'in'), ...of('AWS::EC2::SecurityGroupEgress', 'out')];
}

const peers = [
  'CidrIp',
  'CidrIpv6',
  'SourceSecurityGroupId',
  'DestinationSecurityGroupId',
  'SourcePrefixListId',
  'DestinationPrefixListId',
];

function groupRule(group: string, direction: 'in' | 'out', rule: JsonObject): GroupRule {
  const peer = peers.map((member) => rule[member]).find((value) => value !== undefined);
  const [from, to] = [rule['FromPort'], rule['ToPort']];
  const protocol = scalarText(rule['IpProtocol']);
  const ports = protocol === '-1' ? 'all' : from === to ? scalarText(from) : `${scalarText(from)}-${scalarText(to)}`;
  return {
    group,
    direction,
    peer: scalarText(peer, 'nobody'),
    ports: protocol === '-1' ? ports : `${protocol} ${ports}`,
  };
}

function target(route: JsonObject): string {
  return Object.entries(route)
    .filter(([member]) => /Id$/.test(member) && member !== 'RouteTableId')
    .map(([member, value]) => `${member} ${scalarText(value)}`)
    .join(', ');
}

function serviceOf(name: unknown): string {
  return scalarText(name).split('.').slice(3).join('.') || scalarText(name);
}
