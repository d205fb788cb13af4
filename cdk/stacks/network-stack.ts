import { Stack } from 'aws-cdk-lib';
import { CfnPrivateDnsNamespace } from 'aws-cdk-lib/aws-servicediscovery';
import type { Construct } from 'constructs';
import { CreatedNetwork } from '../constructs/created-network.js';
import { stackProps, type DeploymentContext } from '../constructs/deployment-context.js';
import { FlowLogs } from '../constructs/flow-logs.js';
import { importedNetwork } from '../constructs/imported-network.js';
import type { DeploymentNetwork } from '../constructs/network.js';
import { SecurityGroups } from '../constructs/security-groups.js';
import { ServiceEndpoints } from '../constructs/service-endpoints.js';

/** The network, or what is added to one that is there; who may connect to whom in it; where its names are resolved. */
export class NetworkStack extends Stack {
  readonly network: DeploymentNetwork;
  readonly securityGroups: SecurityGroups;
  /** Id of the private namespace in which processes find each other; undefined on Kubernetes, which has its own. */
  readonly namespaceId: string | undefined;

  constructor(scope: Construct, context: DeploymentContext, auditKeyArn: string) {
    super(scope, 'network', stackProps(context, 'network'));
    const { network, zones, exposure, compute } = context.configuration;
    if (network.kind === 'create') {
      this.network = new CreatedNetwork(this, 'Network', { context, cidr: network.cidr, auditKeyArn });
      new FlowLogs(this, 'FlowLogs', { context, vpcId: this.network.vpcId, auditKeyArn });
    } else {
      this.network = importedNetwork(network, zones, exposure.kind === 'public');
    }
    this.securityGroups = new SecurityGroups(this, 'SecurityGroups', { context, network: this.network });
    if (network.kind === 'create' || network.endpoints === 'create') {
      new ServiceEndpoints(this, 'Endpoints', {
        context,
        network: this.network,
        securityGroupId: this.securityGroups.endpoints,
      });
    }
    this.namespaceId =
      compute.kind === 'eks'
        ? undefined
        : new CfnPrivateDnsNamespace(this, 'Namespace', {
            name: context.names.internalDomain,
            vpc: this.network.vpcId,
          }).ref;
  }
}
