import { NagRuleCompliance } from 'cdk-nag';
import { deployedProperties } from '../deployed-resource.js';
import type { Rule } from '../rule.js';

export const permissionsBoundaryPresent: Rule = {
  name: 'PermissionsBoundaryPresent',
  info: 'The role or user has no permissions boundary.',
  explanation: 'The boundary is what a role cannot get beyond whatever policy somebody attaches to it later.',
  check: (node) => {
    if (node.cfnResourceType !== 'AWS::IAM::Role' && node.cfnResourceType !== 'AWS::IAM::User') {
      return NagRuleCompliance.NOT_APPLICABLE;
    }
    return deployedProperties(node)['PermissionsBoundary'] !== undefined
      ? NagRuleCompliance.COMPLIANT
      : NagRuleCompliance.NON_COMPLIANT;
  },
};
