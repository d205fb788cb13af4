import { Fn } from 'aws-cdk-lib';
import { CfnListener, CfnListenerRule, CfnLoadBalancer, CfnTargetGroup } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Construct } from 'constructs';
import { apiHost } from '../config/hosts.js';
import { ports } from '../config/ports.js';
import type { DeploymentContext } from './deployment-context.js';
import type { DeploymentNetwork } from './network.js';

export interface LoadBalancerProps {
  readonly context: DeploymentContext;
  readonly network: DeploymentNetwork;
  readonly securityGroupId: string;
  readonly certificateArn: string;
}

/** TLS 1.2 and 1.3 with forward secrecy and authenticated ciphers only. */
const tlsPolicy = 'ELBSecurityPolicy-TLS13-1-2-Res-2021-06';

/** How long a connection may be silent: longer than what a client may wait for changes. */
const idleTimeoutSeconds = 900;

/**
 * The one way in: a load balancer that ends TLS. `api.<domain>` goes to the control plane, every other name to data nodes, which are
 * asked `GET /ready` every five seconds.
 */
export class LoadBalancer extends Construct {
  readonly arn: string;
  readonly fullName: string;
  readonly dnsName: string;
  readonly hostedZoneId: string;
  readonly listenerArn: string;
  readonly nodes: CfnTargetGroup;
  readonly control: CfnTargetGroup;
  /** `TargetGroup` dimensions of the two groups' metrics. */
  readonly nodesFullName: string;
  readonly controlFullName: string;

  constructor(scope: Construct, id: string, props: LoadBalancerProps) {
    super(scope, id);
    const { context, network } = props;
    const { exposure, removalProtection, domain, dataNodes } = context.configuration;
    const loadBalancer = new CfnLoadBalancer(this, 'LoadBalancer', {
      name: context.names.prefix,
      type: 'application',
      scheme: exposure.kind === 'public' ? 'internet-facing' : 'internal',
      subnets: network.edgeSubnets.map(({ subnetId }) => subnetId),
      securityGroups: [props.securityGroupId],
      loadBalancerAttributes: Object.entries({
        'access_logs.s3.bucket': context.names.bucket('access'),
        'access_logs.s3.enabled': 'true',
        'access_logs.s3.prefix': 'load-balancer',
        'deletion_protection.enabled': String(removalProtection),
        'idle_timeout.timeout_seconds': String(idleTimeoutSeconds),
        'routing.http.desync_mitigation_mode': 'strictest',
        'routing.http.drop_invalid_header_fields.enabled': 'true',
        'routing.http2.enabled': 'true',
      }).map(([key, value]) => ({ key, value })),
    });
    this.arn = loadBalancer.ref;
    // What metrics call them, cut out of the ARNs.
    this.fullName = Fn.select(1, Fn.split('loadbalancer/', loadBalancer.ref));
    this.dnsName = loadBalancer.attrDnsName;
    this.hostedZoneId = loadBalancer.attrCanonicalHostedZoneId;
    this.nodes = this.targetGroup('nodes', props, {
      port: ports.sql,
      path: '/ready',
      drainSeconds: dataNodes.drainDelaySeconds,
    });
    this.control = this.targetGroup('control', props, { port: ports.api, path: '/health', drainSeconds: 10 });
    this.nodesFullName = Fn.select(5, Fn.split(':', this.nodes.ref));
    this.controlFullName = Fn.select(5, Fn.split(':', this.control.ref));
    const listener = new CfnListener(this, 'Listener', {
      loadBalancerArn: loadBalancer.ref,
      port: ports.edge,
      protocol: 'HTTPS',
      sslPolicy: tlsPolicy,
      certificates: [{ certificateArn: props.certificateArn }],
      defaultActions: [{ type: 'forward', targetGroupArn: this.nodes.ref }],
    });
    this.listenerArn = listener.ref;
    new CfnListenerRule(this, 'Api', {
      listenerArn: listener.ref,
      priority: 1,
      conditions: [{ field: 'host-header', hostHeaderConfig: { values: [apiHost(domain.name)] } }],
      actions: [{ type: 'forward', targetGroupArn: this.control.ref }],
    });
  }

  private targetGroup(
    name: string,
    { context, network }: LoadBalancerProps,
    target: { readonly port: number; readonly path: string; readonly drainSeconds: number },
  ): CfnTargetGroup {
    return new CfnTargetGroup(this, `Targets-${name}`, {
      name: `${context.names.prefix}-${name}`.slice(0, 32),
      vpcId: network.vpcId,
      targetType: 'ip',
      protocol: 'HTTP',
      port: target.port,
      healthCheckPath: target.path,
      healthCheckIntervalSeconds: 5,
      healthCheckTimeoutSeconds: 3,
      healthyThresholdCount: 2,
      unhealthyThresholdCount: 2,
      matcher: { httpCode: '200' },
      // By this tag EKS may register pods in groups that it did not make.
      ...(context.configuration.compute.kind === 'eks' && {
        tags: [{ key: 'eks:eks-cluster-name', value: context.names.cluster }],
      }),
      targetGroupAttributes: [
        { key: 'deregistration_delay.timeout_seconds', value: String(target.drainSeconds) },
        { key: 'load_balancing.algorithm.type', value: 'least_outstanding_requests' },
      ],
    });
  }
}
