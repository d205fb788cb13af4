import { CfnListener, CfnLoadBalancer, CfnTargetGroup } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { CfnVPCEndpointService, CfnVPCEndpointServicePermissions } from 'aws-cdk-lib/aws-ec2';
import { CfnOutput, Tags } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { ports } from '../config/ports.js';
import type { DeploymentContext } from './deployment-context.js';
import type { LoadBalancer } from './load-balancer.js';
import type { DeploymentNetwork } from './network.js';

export interface PrivateLinkProps {
  readonly context: DeploymentContext;
  readonly network: DeploymentNetwork;
  readonly securityGroupId: string;
  readonly loadBalancer: LoadBalancer;
  readonly allowedPrincipalArns: readonly string[];
  readonly acceptanceRequired: boolean;
}

/** Lets other networks and accounts reach the load balancer through an endpoint of theirs, and nothing else of this network. */
export class PrivateLink extends Construct {
  constructor(scope: Construct, id: string, props: PrivateLinkProps) {
    super(scope, id);
    const { context, network, loadBalancer } = props;
    const front = new CfnLoadBalancer(this, 'Front', {
      name: `${context.names.prefix}-link`.slice(0, 32),
      type: 'network',
      scheme: 'internal',
      subnets: network.edgeSubnets.map(({ subnetId }) => subnetId),
      securityGroups: [props.securityGroupId],
      // The endpoint itself says who may come; the addresses behind it belong to other networks.
      enforceSecurityGroupInboundRulesOnPrivateLinkTraffic: 'off',
      loadBalancerAttributes: [
        { key: 'load_balancing.cross_zone.enabled', value: 'true' },
        { key: 'deletion_protection.enabled', value: String(context.configuration.removalProtection) },
        // No access log: it has connections of TLS listeners only, and here the load balancer behind it ends TLS and logs.
      ],
    });
    const targets = new CfnTargetGroup(this, 'Targets', {
      name: `${context.names.prefix}-tls`.slice(0, 32),
      vpcId: network.vpcId,
      targetType: 'alb',
      protocol: 'TCP',
      port: ports.edge,
      targets: [{ id: loadBalancer.arn, port: ports.edge }],
      healthCheckProtocol: 'HTTPS',
      healthCheckPath: '/health',
    });
    targets.node.addDependency(loadBalancer);
    new CfnListener(this, 'Listener', {
      loadBalancerArn: front.ref,
      port: ports.edge,
      protocol: 'TCP',
      defaultActions: [{ type: 'forward', targetGroupArn: targets.ref }],
    });
    const service = new CfnVPCEndpointService(this, 'Service', {
      networkLoadBalancerArns: [front.ref],
      acceptanceRequired: props.acceptanceRequired,
    });
    Tags.of(service).add('Name', context.names.prefix);
    new CfnVPCEndpointServicePermissions(this, 'Permissions', {
      serviceId: service.ref,
      allowedPrincipals: [...props.allowedPrincipalArns],
    });
    new CfnOutput(this, 'ServiceName', {
      key: 'PrivateLinkServiceName',
      value: `com.amazonaws.vpce.${context.configuration.region}.${service.ref}`,
      description: 'What an endpoint in another network names',
    });
  }
}
