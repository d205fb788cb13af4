import type { ResolvedConfiguration } from '../../config/deployment-configuration.js';

/** Findings of the own pack that a configuration asks for, each with its reason. */
export function ownAcknowledgements({ exposure, egress, removalProtection }: ResolvedConfiguration): readonly {
  readonly ids: readonly string[];
  readonly paths: RegExp;
  readonly reason: string;
}[] {
  return [
    {
      ids: ['TursoByoc-NoForeignPrincipal[*]'],
      paths: /^network\/Endpoints\/s3$/,
      reason:
        'Layers of images and packages of the system are in buckets of AWS, whose requests are signed beforehand and name no account. Only reading of these buckets is let through, by name.',
    },
    ...(exposure.kind === 'public'
      ? [
          {
            ids: ['TursoByoc-NoInternetRoute'],
            paths: /^network\/Network\/(InternetGateway|EdgeRoute-)/,
            reason:
              'Exposure is public: the subnets of the load balancer, and only they, have a route to the internet.',
          },
          {
            ids: ['TursoByoc-NoPublicLoadBalancer'],
            paths: /^edge\/LoadBalancer\/LoadBalancer$/,
            reason: 'Exposure is public: clients are on the internet, and a web application firewall is in front.',
          },
        ]
      : []),
    ...(egress.kind === 'allow-list'
      ? [
          {
            ids: ['TursoByoc-NoInternetRoute'],
            paths: /^network\/Network\/(InternetGateway$|Exit\/)/,
            reason:
              'The configuration lets the control plane out to a list of hosts: through a firewall that knows them, and from no other subnet.',
          },
        ]
      : []),
    ...(removalProtection
      ? []
      : [
          {
            ids: ['TursoByoc-StatefulResourceRetained'],
            paths: /^foundation\/.+\/(Key|Bucket)$/,
            reason:
              'Removal protection is off for the whole deployment, as its configuration says: its data is worth nothing.',
          },
        ]),
  ];
}
