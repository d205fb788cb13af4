import type { ResolvedConfiguration } from '../../config/deployment-configuration.js';
import type { RuleSettings } from './rule.js';

/** What the own rules hold a deployment to, as its configuration says it. */
export function ruleSettings({ trustedAccounts, retention, keys }: ResolvedConfiguration): RuleSettings {
  return {
    trustedAccounts,
    leastLogRetentionDays: retention.logDays,
    leastKeyDeletionDays: keys.deletionWindowDays,
  };
}
