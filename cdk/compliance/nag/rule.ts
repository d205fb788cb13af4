import type { CfnResource } from 'aws-cdk-lib';
import type { NagRuleResult } from 'cdk-nag';

/** What a deployment allows that another one does not. */
export interface RuleSettings {
  /** Accounts beside the deployment's own that policies may name. */
  readonly trustedAccounts: readonly string[];
  /** Days that every log group must keep its events. */
  readonly leastLogRetentionDays: number;
  /** Days that a key scheduled for deletion must be recoverable. */
  readonly leastKeyDeletionDays: number;
}

/** One thing that every resource of the deployment is held to. */
export interface Rule {
  /** The part of the finding's id after `TursoByoc-`. */
  readonly name: string;
  /** What is wrong when it does not hold. */
  readonly info: string;
  /** Why it matters, and what to do. */
  readonly explanation: string;
  /**
   * Compliant, not compliant, not applicable, or a list of findings that are acknowledged one by one (`[finding]` after the id;
   * without spaces, which the CDK replaces in acknowledgements).
   */
  readonly check: (node: CfnResource, settings: RuleSettings) => NagRuleResult;
}
