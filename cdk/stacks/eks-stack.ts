import { CfnOutput, Fn, Stack, Tags } from 'aws-cdk-lib';
import { CfnAccessEntry, CfnCluster, CfnPodIdentityAssociation } from 'aws-cdk-lib/aws-eks';
import { CfnSecurityGroupEgress, CfnSecurityGroupIngress } from 'aws-cdk-lib/aws-ec2';
import { ManagedPolicy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { EksCompute, Resolved } from '../config/deployment-configuration.js';
import { kubernetes } from '../config/kubernetes.js';
import { ports } from '../config/ports.js';
import { controlPlanePermissions } from '../constructs/control-plane-permissions.js';
import { dataNodePermissions } from '../constructs/data-node-permissions.js';
import { stackProps, type DeploymentContext } from '../constructs/deployment-context.js';
import { encryptedLogGroup } from '../constructs/log-group.js';
import { processRole } from '../constructs/process-role.js';
import type { EdgeStack } from './edge-stack.js';
import type { FoundationStack } from './foundation-stack.js';
import type { NetworkStack } from './network-stack.js';

export interface EksStackProps {
  readonly context: DeploymentContext;
  readonly compute: Resolved<EksCompute>;
  readonly foundation: FoundationStack;
  readonly network: NetworkStack;
  readonly edge: EdgeStack;
}

/** Policies of AWS that Auto Mode demands of a node's role, and of the cluster's. */
const nodePolicies = ['AmazonEKSWorkerNodeMinimalPolicy', 'AmazonEC2ContainerRegistryPullOnly'] as const;
const clusterPolicies = [
  'AmazonEKSClusterPolicy',
  'AmazonEKSComputePolicy',
  'AmazonEKSBlockStoragePolicy',
  'AmazonEKSLoadBalancingPolicy',
  'AmazonEKSNetworkingPolicy',
] as const;
export const eksManagedPolicies = [...nodePolicies, ...clusterPolicies] as const;

/**
 * An EKS cluster in Auto Mode, without a public endpoint, for the Helm chart: pods get their rights by Pod Identity, and people theirs
 * by access entries. The chart itself is installed by whoever reaches the cluster, with values made from this stack's outputs; a
 * Lambda function with the rights of an administrator, as the CDK would bring it, is deliberately not part of this.
 */
export class EksStack extends Stack {
  private readonly props: EksStackProps;

  constructor(scope: Construct, props: EksStackProps) {
    super(scope, 'eks', stackProps(props.context, 'eks'));
    this.props = props;
    const { context, foundation, network, edge } = props;
    for (const name of ['data-node', 'control-plane']) {
      encryptedLogGroup(this, `Log-${name}`, { context, keyArn: foundation.keys.audit, of: name });
    }
    const nodeRole = this.nodeRole();
    const cluster = this.cluster(this.clusterRole(nodeRole), nodeRole);
    this.administrators(cluster);
    this.pods(cluster);
    for (const [id, port] of [
      ['EdgeToSql', ports.sql],
      ['EdgeToApi', ports.api],
    ] as const) {
      new CfnSecurityGroupIngress(this, id, {
        groupId: cluster.attrClusterSecurityGroupId,
        sourceSecurityGroupId: network.securityGroups.edge,
        ipProtocol: 'tcp',
        fromPort: port,
        toPort: port,
        description: 'load balancer',
      });
      new CfnSecurityGroupEgress(this, `${id}Out`, {
        groupId: network.securityGroups.edge,
        destinationSecurityGroupId: cluster.attrClusterSecurityGroupId,
        ipProtocol: 'tcp',
        fromPort: port,
        toPort: port,
        description: 'pods',
      });
    }
    // Nodes and pods have the cluster's own group, not those of the planes.
    new CfnSecurityGroupIngress(this, 'ClusterToEndpoints', {
      groupId: network.securityGroups.endpoints,
      sourceSecurityGroupId: cluster.attrClusterSecurityGroupId,
      ipProtocol: 'tcp',
      fromPort: ports.edge,
      toPort: ports.edge,
      description: 'AWS services',
    });
    const outputs: Readonly<Record<string, string>> = {
      ClusterName: cluster.ref,
      DatabasesKeyArn: foundation.keys.databases,
      AdminCredentialArn: foundation.adminCredentialArn,
      SigningKeyArn: foundation.keys.signing ?? '',
      SigningKeySeedArn: foundation.signingKeySecretArn ?? '',
      NodesTargetGroupArn: edge.loadBalancer.nodes.ref,
      ControlTargetGroupArn: edge.loadBalancer.control.ref,
      NodeSubnetIds: Fn.join(
        ',',
        network.network.nodeSubnets.map(({ subnetId }) => subnetId),
      ),
      NodeRoleName: nodeRole.roleName,
      DisksKeyArn: foundation.keys.disks,
      ClusterSecurityGroupId: cluster.attrClusterSecurityGroupId,
    };
    for (const [key, value] of Object.entries(outputs)) if (value !== '') new CfnOutput(this, key, { value });
  }

  private nodeRole(): Role {
    return new Role(new Construct(this, 'Node'), 'Role', {
      roleName: this.props.context.names.role('eks-node'),
      description: 'The agent of a Kubernetes node; pods cannot take it',
      assumedBy: new ServicePrincipal('ec2.amazonaws.com'),
      managedPolicies: nodePolicies.map((name) => ManagedPolicy.fromAwsManagedPolicyName(name)),
    });
  }

  /** The five policies are what EKS Auto Mode demands of its cluster role. */
  private clusterRole(nodeRole: Role): Role {
    const { context, foundation } = this.props;
    const { account } = context.configuration;
    const role = new Role(new Construct(this, 'ClusterRole'), 'Role', {
      roleName: context.names.role('eks-cluster'),
      description: 'What EKS does for the cluster',
      assumedBy: new ServicePrincipal('eks.amazonaws.com')
        .withConditions({ StringEquals: { 'aws:SourceAccount': account } })
        .withSessionTags(),
      managedPolicies: clusterPolicies.map((name) => ManagedPolicy.fromAwsManagedPolicyName(name)),
    });
    role.addManagedPolicy(
      new ManagedPolicy(this, 'NodeDisks', {
        managedPolicyName: context.names.role('eks-cluster'),
        description: 'Encrypts the disks of nodes',
        statements: [
          new PolicyStatement({
            sid: 'NodeDisks',
            actions: ['kms:CreateGrant', 'kms:DescribeKey'],
            resources: [foundation.keys.disks],
          }),
        ],
      }),
    );
    role.node.addDependency(nodeRole);
    return role;
  }

  private cluster(role: Role, nodeRole: Role): CfnCluster {
    const { context, compute, foundation, network } = this.props;
    const cluster = new CfnCluster(this, 'Cluster', {
      name: context.names.cluster,
      version: compute.version,
      roleArn: role.roleArn,
      resourcesVpcConfig: {
        subnetIds: network.network.nodeSubnets.map(({ subnetId }) => subnetId),
        endpointPrivateAccess: true,
        endpointPublicAccess: false,
      },
      accessConfig: { authenticationMode: 'API', bootstrapClusterCreatorAdminPermissions: false },
      encryptionConfig: [{ provider: { keyArn: foundation.keys.disks } }],
      logging: {
        clusterLogging: {
          enabledTypes: ['api', 'audit', 'authenticator', 'controllerManager', 'scheduler'].map((type) => ({ type })),
        },
      },
      computeConfig: { enabled: true, nodePools: ['system'], nodeRoleArn: nodeRole.roleArn },
      kubernetesNetworkConfig: { elasticLoadBalancing: { enabled: true }, ipFamily: 'ipv4' },
      storageConfig: { blockStorage: { enabled: true } },
      deletionProtection: context.configuration.removalProtection,
      upgradePolicy: { supportType: 'STANDARD' },
    });
    Tags.of(cluster).add('Name', context.names.cluster);
    return cluster;
  }

  private administrators(cluster: CfnCluster): void {
    const { context, compute } = this.props;
    for (const [index, principalArn] of compute.administratorRoleArns.entries()) {
      new CfnAccessEntry(this, `Administrator${index}`, {
        clusterName: cluster.ref,
        principalArn,
        accessPolicies: [
          {
            policyArn: `arn:${context.names.partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy`,
            accessScope: { type: 'cluster' },
          },
        ],
      });
    }
  }

  /** A role for each of the chart's two service accounts, as narrow as on ECS. */
  private pods(cluster: CfnCluster): void {
    const { context, foundation, network } = this.props;
    const { account, region } = context.configuration;
    const { vpcId } = network.network;
    const podsOfCluster = new ServicePrincipal('pods.eks.amazonaws.com')
      .withConditions({
        StringEquals: { 'aws:SourceAccount': account },
        ArnEquals: {
          'aws:SourceArn': `arn:${context.names.partition}:eks:${region}:${account}:cluster/${context.names.cluster}`,
        },
      })
      .withSessionTags();
    const roles = {
      'data-node': dataNodePermissions(context, foundation.keys, vpcId),
      'control-plane': controlPlanePermissions(context, foundation.keys, vpcId),
    } as const;
    for (const kind of ['data-node', 'control-plane'] as const) {
      const role = processRole(new Construct(this, `Pods-${kind}`), context, kind, {
        description: kind === 'data-node' ? 'A data node' : 'The control plane',
        assumedBy: podsOfCluster,
        statements: roles[kind],
      });
      new CfnPodIdentityAssociation(this, `Identity-${kind}`, {
        clusterName: cluster.ref,
        namespace: kubernetes.namespace,
        serviceAccount: kubernetes.serviceAccounts[kind],
        roleArn: role.roleArn,
      });
    }
  }
}
