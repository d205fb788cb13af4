import type { ZoneConfiguration } from '../config/deployment-configuration.js';

/** A subnet of a zone. */
export interface ZonalSubnet {
  readonly zone: ZoneConfiguration;
  readonly subnetId: string;
  readonly routeTableId: string;
}

/** The network of a deployment, whoever made it. */
export interface DeploymentNetwork {
  readonly vpcId: string;
  readonly cidr: string;
  /** Where data nodes are; no route leaves them but to gateway endpoints. */
  readonly nodeSubnets: readonly ZonalSubnet[];
  /** Where the control plane is; the same ones in an imported network. */
  readonly controlSubnets: readonly ZonalSubnet[];
  /** Where load balancers are. */
  readonly edgeSubnets: readonly ZonalSubnet[];
}
