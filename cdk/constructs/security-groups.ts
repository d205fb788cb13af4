import { CfnSecurityGroup, CfnSecurityGroupEgress, CfnSecurityGroupIngress } from 'aws-cdk-lib/aws-ec2';
import { Tags } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { ports } from '../config/ports.js';
import { traceCollectorCidrs, traceCollectorPort } from '../config/trace-collector.js';
import type { DeploymentContext } from './deployment-context.js';
import type { DeploymentNetwork } from './network.js';

export interface SecurityGroupsProps {
  readonly context: DeploymentContext;
  readonly network: DeploymentNetwork;
}

/**
 * Who may connect to whom, all in one place: clients to the load balancer, the load balancer and the control plane to data nodes,
 * data nodes to each other, everything to the endpoints of AWS services, both planes to a collector of traces.
 */
export class SecurityGroups extends Construct {
  /** Load balancers. */
  readonly edge: string;
  readonly nodes: string;
  readonly control: string;
  readonly endpoints: string;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: SecurityGroupsProps,
  ) {
    super(scope, id);
    const { exposure } = props.context.configuration;
    const { network } = props;
    this.edge = this.group('edge', 'load balancers');
    this.nodes = this.group('nodes', 'data nodes');
    this.control = this.group('control', 'the control plane');
    this.endpoints = this.group('endpoints', 'endpoints of AWS services');

    const clients = exposure.kind === 'privatelink' ? [] : exposure.allowedCidrs;
    const ownNetwork = exposure.kind === 'public' ? [] : [network.cidr];
    for (const [index, cidr] of [...new Set([...ownNetwork, ...clients])].entries()) {
      new CfnSecurityGroupIngress(this, `Clients${index}`, {
        groupId: this.edge,
        description: 'clients',
        ipProtocol: 'tcp',
        fromPort: ports.edge,
        toPort: ports.edge,
        cidrIp: cidr,
      });
    }
    this.allow('EdgeToNodes', this.edge, this.nodes, ports.sql, 'SQL of clients');
    this.allow('EdgeToControl', this.edge, this.control, ports.api, 'Platform API');
    this.allow('ControlToNodes', this.control, this.nodes, ports.sql, 'SQL of the catalog');
    this.allow('ControlToAdmin', this.control, this.nodes, ports.admin, 'admin interface');
    this.allow('NodesToNodes', this.nodes, this.nodes, ports.sql, 'forwarded SQL');
    this.allow('NodesToAdmin', this.nodes, this.nodes, ports.admin, 'forwarded admin requests');
    this.allow('NodesToEndpoints', this.nodes, this.endpoints, ports.edge, 'AWS services');
    this.allow('ControlToEndpoints', this.control, this.endpoints, ports.edge, 'AWS services');
    for (const [name, group] of [
      ['Nodes', this.nodes],
      ['Control', this.control],
    ] as const) {
      // Gateway endpoints have addresses of AWS's own, which only a look-up could name; no route leads to any others.
      new CfnSecurityGroupEgress(this, `${name}ToGateways`, {
        groupId: group,
        description: 'S3 through gateway endpoints; no route leads elsewhere',
        ipProtocol: 'tcp',
        fromPort: ports.edge,
        toPort: ports.edge,
        cidrIp: '0.0.0.0/0',
      });
    }
    this.allowTraces();
    if (exposure.kind === 'privatelink') this.allow('EdgeToEdge', this.edge, this.edge, ports.edge, 'PrivateLink');
  }

  /** Out to the collector of traces, where one is named. */
  private allowTraces(): void {
    const { configuration } = this.props.context;
    const port = traceCollectorPort(configuration);
    if (port === undefined) return;
    for (const [name, group] of [
      ['Nodes', this.nodes],
      ['Control', this.control],
    ] as const) {
      for (const [index, cidr] of traceCollectorCidrs(configuration).entries()) {
        new CfnSecurityGroupEgress(this, `${name}ToTraces${index}`, {
          groupId: group,
          description: 'collector of traces',
          ipProtocol: 'tcp',
          fromPort: port,
          toPort: port,
          cidrIp: cidr,
        });
      }
    }
  }

  private group(name: string, of: string): string {
    const { context, network } = this.props;
    const group = new CfnSecurityGroup(this, `Group-${name}`, {
      groupName: `${context.names.prefix}-${name}`,
      groupDescription: `${context.names.prefix}: ${of}`,
      vpcId: network.vpcId,
      // Without any rule AWS lets everything out; this address is nobody's.
      securityGroupEgress: [
        { ipProtocol: 'icmp', fromPort: 252, toPort: 86, cidrIp: '255.255.255.255/32', description: 'nothing' },
      ],
    });
    Tags.of(group).add('Name', `${context.names.prefix}-${name}`);
    return group.attrGroupId;
  }

  private allow(id: string, from: string, to: string, port: number, description: string): void {
    new CfnSecurityGroupIngress(this, `${id}In`, {
      groupId: to,
      sourceSecurityGroupId: from,
      ipProtocol: 'tcp',
      fromPort: port,
      toPort: port,
      description,
    });
    new CfnSecurityGroupEgress(this, `${id}Out`, {
      groupId: from,
      destinationSecurityGroupId: to,
      ipProtocol: 'tcp',
      fromPort: port,
      toPort: port,
      description,
    });
  }
}
