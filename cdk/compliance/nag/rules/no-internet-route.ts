import { NagRuleCompliance } from 'cdk-nag';
import { deployedProperties } from '../deployed-resource.js';
import type { Rule } from '../rule.js';

const gateways = new Set(['AWS::EC2::InternetGateway', 'AWS::EC2::NatGateway', 'AWS::EC2::EgressOnlyInternetGateway']);
const ways = ['GatewayId', 'NatGatewayId', 'EgressOnlyInternetGatewayId', 'NetworkInterfaceId', 'InstanceId'];

export const noInternetRoute: Rule = {
  name: 'NoInternetRoute',
  info: 'The network has a gateway to the internet, or a route to everywhere.',
  explanation:
    'Nothing of the deployment needs the internet: AWS services are reached through endpoints. Acknowledge it only where the configuration asks for a public load balancer or for an allow-list of hosts.',
  check: (node) => {
    if (gateways.has(node.cfnResourceType)) return NagRuleCompliance.NON_COMPLIANT;
    if (node.cfnResourceType !== 'AWS::EC2::Route') return NagRuleCompliance.NOT_APPLICABLE;
    const route = deployedProperties(node);
    const everywhere = route['DestinationCidrBlock'] === '0.0.0.0/0' || route['DestinationIpv6CidrBlock'] === '::/0';
    return everywhere && ways.some((way) => way in route)
      ? NagRuleCompliance.NON_COMPLIANT
      : NagRuleCompliance.COMPLIANT;
  },
};
