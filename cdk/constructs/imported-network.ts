import type {
  ImportedNetwork as ImportedNetworkConfiguration,
  ImportedSubnet,
  Resolved,
  ZoneConfiguration,
} from '../config/deployment-configuration.js';
import type { DeploymentNetwork, ZonalSubnet } from './network.js';

/** A network that is there already, as the configuration names it. */
export function importedNetwork(
  network: Resolved<ImportedNetworkConfiguration>,
  zones: readonly ZoneConfiguration[],
  isPublic: boolean,
): DeploymentNetwork {
  const inOrder = (subnets: readonly ImportedSubnet[]): readonly ZonalSubnet[] =>
    zones.flatMap((zone) =>
      subnets
        .filter((subnet) => subnet.zone === zone.name)
        .map(({ subnetId, routeTableId }) => ({ zone, subnetId, routeTableId })),
    );
  const subnets = inOrder(network.subnets);
  return {
    vpcId: network.vpcId,
    cidr: network.cidr,
    nodeSubnets: subnets,
    controlSubnets: subnets,
    edgeSubnets: isPublic ? inOrder(network.publicSubnets) : subnets,
  };
}
