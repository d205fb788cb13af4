import { CfnLoggingConfiguration, CfnWebACL, CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';
import type { DeploymentContext } from './deployment-context.js';
import { encryptedLogGroup } from './log-group.js';

export interface WebFirewallProps {
  readonly context: DeploymentContext;
  readonly loadBalancerArn: string;
  readonly requestsPerAddress: number;
  readonly auditKeyArn: string;
}

/**
 * Turns away addresses of bad reputation and those that ask too often. Rules that look into bodies are left out on purpose: bodies
 * of this service are SQL, which such rules take for an attack.
 */
export class WebFirewall extends Construct {
  constructor(scope: Construct, id: string, props: WebFirewallProps) {
    super(scope, id);
    const { context } = props;
    const { names, configuration } = context;
    const visible = (metricName: string) => ({
      cloudWatchMetricsEnabled: true,
      metricName: `${names.prefix}-${metricName}`,
      sampledRequestsEnabled: false,
    });
    const acl = new CfnWebACL(this, 'Acl', {
      name: names.prefix,
      scope: 'REGIONAL',
      defaultAction: { allow: {} },
      visibilityConfig: visible('all'),
      rules: [
        {
          name: 'reputation',
          priority: 0,
          overrideAction: { none: {} },
          statement: {
            managedRuleGroupStatement: { vendorName: 'AWS', name: 'AWSManagedRulesAmazonIpReputationList' },
          },
          visibilityConfig: visible('reputation'),
        },
        {
          name: 'rate',
          priority: 1,
          action: { block: { customResponse: { responseCode: 429 } } },
          statement: {
            rateBasedStatement: {
              aggregateKeyType: 'IP',
              evaluationWindowSec: 300,
              limit: props.requestsPerAddress,
            },
          },
          visibilityConfig: visible('rate'),
        },
      ],
    });
    new CfnWebACLAssociation(this, 'Association', { resourceArn: props.loadBalancerArn, webAclArn: acl.attrArn });
    // WAF writes to log groups only whose names begin so.
    const name = `aws-waf-logs-${names.prefix}`;
    const group = encryptedLogGroup(this, 'Log', { context, keyArn: props.auditKeyArn, of: 'waf', name });
    const logging = new CfnLoggingConfiguration(this, 'Logging', {
      resourceArn: acl.attrArn,
      logDestinationConfigs: [
        `arn:${names.partition}:logs:${configuration.region}:${configuration.account}:log-group:${name}`,
      ],
      redactedFields: [
        { singleHeader: { Name: 'authorization' } },
        { singleHeader: { Name: 'x-turso-encryption-key' } },
      ],
      loggingFilter: {
        DefaultBehavior: 'DROP',
        Filters: [
          { Behavior: 'KEEP', Requirement: 'MEETS_ANY', Conditions: [{ ActionCondition: { Action: 'BLOCK' } }] },
        ],
      },
    });
    logging.addResourceDependency(group);
  }
}
