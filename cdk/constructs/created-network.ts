import { Tags, Validations } from 'aws-cdk-lib';
import {
  CfnInternetGateway,
  CfnRoute,
  CfnRouteTable,
  CfnSubnet,
  CfnSubnetRouteTableAssociation,
  CfnVPC,
  CfnVPCGatewayAttachment,
} from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';
import { subnetCidr, type SubnetPurpose } from '../config/address-plan.js';
import type { ZoneConfiguration } from '../config/deployment-configuration.js';
import type { DeploymentContext } from './deployment-context.js';
import { FilteredExit } from './filtered-exit.js';
import type { DeploymentNetwork, ZonalSubnet } from './network.js';

/**
 * A network without a way to the internet. Only `public` exposure gives the load balancers' subnets one, and only an allow-list
 * of egress gives one to the control plane's, through a firewall. The data nodes' subnets never get one.
 */
export class CreatedNetwork extends Construct implements DeploymentNetwork {
  private readonly context: DeploymentContext;
  readonly vpcId: string;
  readonly cidr: string;
  readonly nodeSubnets: readonly ZonalSubnet[];
  readonly controlSubnets: readonly ZonalSubnet[];
  readonly edgeSubnets: readonly ZonalSubnet[];

  constructor(
    scope: Construct,
    id: string,
    props: { readonly context: DeploymentContext; readonly cidr: string; readonly auditKeyArn: string },
  ) {
    super(scope, id);
    const { context, cidr, auditKeyArn } = props;
    this.context = context;
    const { exposure, egress } = context.configuration;
    this.cidr = cidr;
    const vpc = new CfnVPC(this, 'Vpc', { cidrBlock: cidr, enableDnsHostnames: true, enableDnsSupport: true });
    Tags.of(vpc).add('Name', context.names.prefix);
    this.vpcId = vpc.ref;
    this.nodeSubnets = this.subnets('nodes');
    this.controlSubnets = this.subnets('control');
    this.edgeSubnets = this.subnets('edge');
    if (exposure.kind !== 'public' && egress.kind === 'off') return;
    const gateway = new CfnInternetGateway(this, 'InternetGateway');
    const attachment = new CfnVPCGatewayAttachment(this, 'InternetGatewayAttachment', {
      vpcId: this.vpcId,
      internetGatewayId: gateway.ref,
    });
    if (exposure.kind === 'public') {
      for (const { zone, routeTableId } of this.edgeSubnets) {
        const route = new CfnRoute(this, `EdgeRoute-${zone.name}`, {
          routeTableId,
          destinationCidrBlock: '0.0.0.0/0',
          gatewayId: gateway.ref,
        });
        route.addResourceDependency(attachment);
      }
    }
    if (egress.kind === 'allow-list') {
      new FilteredExit(this, 'Exit', {
        context,
        auditKeyArn,
        vpcId: this.vpcId,
        hosts: egress.hosts,
        internetGateway: { id: gateway.ref, attachment },
        protectedSubnets: this.controlSubnets,
        protectedCidrs: context.configuration.zones.map((_, index) => subnetCidr(cidr, 'control', index)),
        firewallSubnets: this.subnets('firewall'),
        exitSubnets: this.subnets('exit'),
      });
    }
  }

  private subnets(purpose: SubnetPurpose): readonly ZonalSubnet[] {
    return this.context.configuration.zones.map((zone, index) => this.subnet(purpose, zone, index));
  }

  private subnet(purpose: SubnetPurpose, zone: ZoneConfiguration, index: number): ZonalSubnet {
    const name = `${purpose}-${zone.name}`;
    const subnet = new CfnSubnet(this, `Subnet-${name}`, {
      vpcId: this.vpcId,
      availabilityZone: zone.name,
      cidrBlock: subnetCidr(this.cidr, purpose, index),
      mapPublicIpOnLaunch: false,
    });
    // The zones are those of the configuration, on purpose: no look-up happens, and directory buckets are in them.
    Validations.of(subnet).acknowledge({
      id: 'CloudFormation-Validate::W3010',
      reason: 'Zones are named by the configuration, beside the ids that directory buckets need.',
    });
    const routeTable = new CfnRouteTable(this, `Routes-${name}`, { vpcId: this.vpcId });
    new CfnSubnetRouteTableAssociation(this, `RoutesOf-${name}`, {
      subnetId: subnet.ref,
      routeTableId: routeTable.ref,
    });
    for (const resource of [subnet, routeTable]) Tags.of(resource).add('Name', `${this.context.names.prefix}-${name}`);
    return { zone, subnetId: subnet.ref, routeTableId: routeTable.ref };
  }
}
