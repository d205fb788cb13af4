import { NagRuleCompliance } from 'cdk-nag';
import { isObject } from '../../assembly/template.js';
import { deployedProperties } from '../deployed-resource.js';
import type { Rule } from '../rule.js';

export const imdsv2HopLimit1: Rule = {
  name: 'Imdsv2HopLimit1',
  info: 'The instances answer the old, unauthenticated metadata service, or containers can reach it.',
  explanation:
    'Set HttpTokens to required and HttpPutResponseHopLimit to 1 in the metadata options of the launch template.',
  check: (node) => {
    const properties = deployedProperties(node);
    if (node.cfnResourceType === 'AWS::EC2::LaunchTemplate') {
      const data = properties['LaunchTemplateData'];
      const options = isObject(data) ? data['MetadataOptions'] : undefined;
      const strict =
        isObject(options) && options['HttpTokens'] === 'required' && options['HttpPutResponseHopLimit'] === 1;
      return strict ? NagRuleCompliance.COMPLIANT : NagRuleCompliance.NON_COMPLIANT;
    }
    const old = node.cfnResourceType === 'AWS::AutoScaling::LaunchConfiguration';
    const alone = node.cfnResourceType === 'AWS::EC2::Instance' && properties['LaunchTemplate'] === undefined;
    return old || alone ? NagRuleCompliance.NON_COMPLIANT : NagRuleCompliance.NOT_APPLICABLE;
  },
};
