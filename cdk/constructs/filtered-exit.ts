import { Fn, Tags, type CfnResource } from 'aws-cdk-lib';
import { CfnEIP, CfnNatGateway, CfnRoute } from 'aws-cdk-lib/aws-ec2';
import { CfnFirewall, CfnFirewallPolicy, CfnLoggingConfiguration, CfnRuleGroup } from 'aws-cdk-lib/aws-networkfirewall';
import { Construct } from 'constructs';
import type { DeploymentContext } from './deployment-context.js';
import { encryptedLogGroup } from './log-group.js';
import type { ZonalSubnet } from './network.js';

export interface FilteredExitProps {
  readonly context: DeploymentContext;
  readonly auditKeyArn: string;
  readonly vpcId: string;
  /** Host names that may be reached over TLS; one that begins with a dot stands for everything below it. */
  readonly hosts: readonly string[];
  readonly internetGateway: { readonly id: string; readonly attachment: CfnResource };
  /** Subnets that get the way out, and their addresses, zone by zone. */
  readonly protectedSubnets: readonly ZonalSubnet[];
  readonly protectedCidrs: readonly string[];
  readonly firewallSubnets: readonly ZonalSubnet[];
  readonly exitSubnets: readonly ZonalSubnet[];
}

/**
 * A way out to a few hosts: subnet → firewall → NAT gateway → internet, each zone on its own. The firewall drops whatever is not
 * TLS to one of the hosts, by the name in the TLS handshake; answers pass it again, which it needs to follow a connection.
 *
 * There is one firewall for each zone, because CloudFormation tells the endpoints of a firewall with several zones in no order.
 */
export class FilteredExit extends Construct {
  constructor(scope: Construct, id: string, props: FilteredExitProps) {
    super(scope, id);
    const { context, internetGateway } = props;
    const { removalProtection } = context.configuration;
    const policy = this.policy(props);
    const logGroup = encryptedLogGroup(this, 'Log', { context, keyArn: props.auditKeyArn, of: 'egress-firewall' });
    props.firewallSubnets.forEach((firewallSubnet, index) => {
      const exitSubnet = props.exitSubnets[index];
      const protectedSubnet = props.protectedSubnets[index];
      const protectedCidr = props.protectedCidrs[index];
      if (exitSubnet === undefined || protectedSubnet === undefined || protectedCidr === undefined) {
        throw new RangeError('a way out needs three subnets in every zone');
      }
      const zone = firewallSubnet.zone.name;
      const firewall = new CfnFirewall(this, `Firewall-${zone}`, {
        firewallName: `${context.names.prefix}-egress-${zone}`,
        firewallPolicyArn: policy.attrFirewallPolicyArn,
        vpcId: props.vpcId,
        subnetMappings: [{ subnetId: firewallSubnet.subnetId }],
        deleteProtection: removalProtection,
        firewallPolicyChangeProtection: false,
        subnetChangeProtection: removalProtection,
      });
      new CfnLoggingConfiguration(this, `FirewallLog-${zone}`, {
        firewallArn: firewall.ref,
        loggingConfiguration: {
          logDestinationConfigs: [
            {
              logType: 'ALERT',
              logDestinationType: 'CloudWatchLogs',
              logDestination: { logGroup: logGroup.ref },
            },
          ],
        },
      });
      const endpointId = Fn.select(1, Fn.split(':', Fn.select(0, firewall.attrEndpointIds)));
      const address = new CfnEIP(this, `Address-${zone}`, { domain: 'vpc' });
      Tags.of(address).add('Name', `${context.names.prefix}-egress-${zone}`);
      const nat = new CfnNatGateway(this, `Nat-${zone}`, {
        subnetId: exitSubnet.subnetId,
        allocationId: address.attrAllocationId,
      });
      nat.addResourceDependency(internetGateway.attachment);
      new CfnRoute(this, `Out-${zone}`, {
        routeTableId: protectedSubnet.routeTableId,
        destinationCidrBlock: '0.0.0.0/0',
        vpcEndpointId: endpointId,
      });
      new CfnRoute(this, `OutOfFirewall-${zone}`, {
        routeTableId: firewallSubnet.routeTableId,
        destinationCidrBlock: '0.0.0.0/0',
        natGatewayId: nat.ref,
      });
      const exit = new CfnRoute(this, `OutOfExit-${zone}`, {
        routeTableId: exitSubnet.routeTableId,
        destinationCidrBlock: '0.0.0.0/0',
        gatewayId: internetGateway.id,
      });
      exit.addResourceDependency(internetGateway.attachment);
      new CfnRoute(this, `Back-${zone}`, {
        routeTableId: exitSubnet.routeTableId,
        destinationCidrBlock: protectedCidr,
        vpcEndpointId: endpointId,
      });
    });
  }

  private policy({ context, hosts }: FilteredExitProps): CfnFirewallPolicy {
    const { names } = context;
    const rules = new CfnRuleGroup(this, 'Hosts', {
      ruleGroupName: `${names.prefix}-egress-hosts`,
      type: 'STATEFUL',
      capacity: 500,
      description: 'The hosts that the control plane may reach over TLS',
      ruleGroup: {
        rulesSource: {
          rulesSourceList: { generatedRulesType: 'ALLOWLIST', targetTypes: ['TLS_SNI'], targets: [...hosts] },
        },
        statefulRuleOptions: { ruleOrder: 'STRICT_ORDER' },
      },
    });
    return new CfnFirewallPolicy(this, 'Policy', {
      firewallPolicyName: `${names.prefix}-egress`,
      description: 'Drops everything but TLS to the hosts of the allow-list',
      firewallPolicy: {
        statelessDefaultActions: ['aws:forward_to_sfe'],
        statelessFragmentDefaultActions: ['aws:drop'],
        statefulEngineOptions: { ruleOrder: 'STRICT_ORDER', streamExceptionPolicy: 'REJECT' },
        statefulDefaultActions: ['aws:drop_established', 'aws:alert_established'],
        statefulRuleGroupReferences: [{ priority: 1, resourceArn: rules.attrRuleGroupArn }],
      },
    });
  }
}
