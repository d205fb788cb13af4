import { NagRuleCompliance } from 'cdk-nag';
import { deployedAttribute } from '../deployed-resource.js';
import type { Rule } from '../rule.js';

const stateful = new Set(['AWS::S3::Bucket', 'AWS::S3Express::DirectoryBucket', 'AWS::KMS::Key']);

export const statefulResourceRetained: Rule = {
  name: 'StatefulResourceRetained',
  info: 'The bucket or key goes when its stack goes, or when it is replaced.',
  explanation:
    'Data stays unless it is asked for twice. Set DeletionPolicy and UpdateReplacePolicy to Retain; acknowledge it only where removalProtection is off.',
  check: (node) => {
    if (!stateful.has(node.cfnResourceType)) return NagRuleCompliance.NOT_APPLICABLE;
    const kept = (['DeletionPolicy', 'UpdateReplacePolicy'] as const).every((policy) =>
      ['Retain', 'RetainExceptOnCreate'].includes(deployedAttribute(node, policy) ?? 'Delete'),
    );
    return kept ? NagRuleCompliance.COMPLIANT : NagRuleCompliance.NON_COMPLIANT;
  },
};
