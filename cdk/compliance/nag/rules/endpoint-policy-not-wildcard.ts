import { NagRuleCompliance } from 'cdk-nag';
import { isObject } from '../../assembly/template.js';
import { deployedProperties, deployedStatements } from '../deployed-resource.js';
import type { Rule } from '../rule.js';

export const endpointPolicyNotWildcard: Rule = {
  name: 'EndpointPolicyNotWildcard',
  info: 'The VPC endpoint lets everybody do everything, with whatever account.',
  explanation:
    'Without a policy an endpoint is a way out: whoever is in the network can write to a bucket of any account through it. Limit its policy to principals, or resources, of this account.',
  check: (node) => {
    if (node.cfnResourceType !== 'AWS::EC2::VPCEndpoint') return NagRuleCompliance.NOT_APPLICABLE;
    if (!isObject(deployedProperties(node)['PolicyDocument'])) return NagRuleCompliance.NON_COMPLIANT;
    const open = deployedStatements(node).some((statement) => {
      const everybody = statement.Principal === '*' || (statement.Principal?.['AWS'] ?? []).includes('*');
      const everyResource = (statement.Resource ?? []).includes('*');
      return statement.Effect === 'Allow' && everybody && everyResource && statement.Condition === undefined;
    });
    return open ? NagRuleCompliance.NON_COMPLIANT : NagRuleCompliance.COMPLIANT;
  },
};
