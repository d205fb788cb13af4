import { NagRuleCompliance } from 'cdk-nag';
import { deployedProperties } from '../deployed-resource.js';
import type { Rule } from '../rule.js';

export const logRetentionAtLeast: Rule = {
  name: 'LogRetentionAtLeast',
  info: 'The log group keeps its events for less than the configured time, or nobody said for how long.',
  explanation: 'Set RetentionInDays to retention.logDays of the configuration, or more.',
  check: (node, { leastLogRetentionDays }) => {
    if (node.cfnResourceType !== 'AWS::Logs::LogGroup') return NagRuleCompliance.NOT_APPLICABLE;
    const days = deployedProperties(node)['RetentionInDays'];
    return typeof days === 'number' && days >= leastLogRetentionDays
      ? NagRuleCompliance.COMPLIANT
      : NagRuleCompliance.NON_COMPLIANT;
  },
};
