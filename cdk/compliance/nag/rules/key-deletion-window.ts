import { NagRuleCompliance } from 'cdk-nag';
import { deployedProperties } from '../deployed-resource.js';
import type { Rule } from '../rule.js';

export const keyDeletionWindow: Rule = {
  name: 'KeyDeletionWindow',
  info: 'The KMS key can be gone earlier than configured after somebody scheduled its deletion.',
  explanation:
    'With the key all databases under it are gone for ever. Set PendingWindowInDays to keys.deletionWindowDays of the configuration, which is 30 unless somebody lowers it.',
  check: (node, { leastKeyDeletionDays }) => {
    if (node.cfnResourceType !== 'AWS::KMS::Key') return NagRuleCompliance.NOT_APPLICABLE;
    return Number(deployedProperties(node)['PendingWindowInDays'] ?? 30) >= leastKeyDeletionDays
      ? NagRuleCompliance.COMPLIANT
      : NagRuleCompliance.NON_COMPLIANT;
  },
};
