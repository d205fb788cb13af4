import { NagRuleCompliance } from 'cdk-nag';
import { deployedProperties } from '../deployed-resource.js';
import type { Rule } from '../rule.js';

export const noPublicLoadBalancer: Rule = {
  name: 'NoPublicLoadBalancer',
  info: 'The load balancer faces the internet.',
  explanation: 'Without a scheme a load balancer faces the internet, too. Acknowledge it only with exposure public.',
  check: (node) => {
    if (node.cfnResourceType !== 'AWS::ElasticLoadBalancingV2::LoadBalancer') return NagRuleCompliance.NOT_APPLICABLE;
    return deployedProperties(node)['Scheme'] === 'internal'
      ? NagRuleCompliance.COMPLIANT
      : NagRuleCompliance.NON_COMPLIANT;
  },
};
