import { CfnOutput, Stack } from 'aws-cdk-lib';
import { CfnCertificate } from 'aws-cdk-lib/aws-certificatemanager';
import { CfnHostedZone, CfnRecordSet } from 'aws-cdk-lib/aws-route53';
import type { Construct } from 'constructs';
import { apiHost, servedNames } from '../config/hosts.js';
import { stackProps, type DeploymentContext } from '../constructs/deployment-context.js';
import { LoadBalancer } from '../constructs/load-balancer.js';
import { PrivateLink } from '../constructs/private-link.js';
import { WebFirewall } from '../constructs/web-firewall.js';
import type { NetworkStack } from './network-stack.js';

/** Where clients come in: certificate, load balancer, firewall, PrivateLink, names. */
export class EdgeStack extends Stack {
  readonly loadBalancer: LoadBalancer;

  constructor(
    scope: Construct,
    private readonly context: DeploymentContext,
    { network, securityGroups }: NetworkStack,
    auditKeyArn: string,
  ) {
    super(scope, 'edge', stackProps(context, 'edge'));
    const { exposure, domain } = context.configuration;
    this.loadBalancer = new LoadBalancer(this, 'LoadBalancer', {
      context,
      network,
      securityGroupId: securityGroups.edge,
      certificateArn: this.certificate(),
    });
    if (exposure.kind === 'public') {
      new WebFirewall(this, 'WebFirewall', {
        context,
        loadBalancerArn: this.loadBalancer.arn,
        requestsPerAddress: exposure.requestsPerAddress,
        auditKeyArn,
      });
    }
    if (exposure.kind === 'privatelink') {
      new PrivateLink(this, 'PrivateLink', {
        context,
        network,
        securityGroupId: securityGroups.edge,
        loadBalancer: this.loadBalancer,
        allowedPrincipalArns: exposure.allowedPrincipalArns,
        acceptanceRequired: exposure.acceptanceRequired,
      });
    }
    this.names(network.vpcId);
    new CfnOutput(this, 'LoadBalancerName', {
      value: this.loadBalancer.dnsName,
      description: `What ${servedNames(domain.name).join(' and ')} must resolve to`,
    });
    new CfnOutput(this, 'ApiUrl', { value: `https://${apiHost(domain.name)}`, description: 'The Platform API' });
  }

  private certificate(): string {
    const { domain } = this.context.configuration;
    if (domain.certificate.kind === 'import') return domain.certificate.arn;
    const hostedZoneId = domain.dns.kind === 'hosted-zone' ? domain.dns.hostedZoneId : '';
    return new CfnCertificate(this, 'Certificate', {
      domainName: domain.name,
      subjectAlternativeNames: [`*.${domain.name}`],
      validationMethod: 'DNS',
      // The name and everything below it are proved by one record; asked for twice, it is refused.
      domainValidationOptions: [{ domainName: domain.name, hostedZoneId }],
      certificateTransparencyLoggingPreference: 'ENABLED',
    }).ref;
  }

  private names(vpcId: string): void {
    const { domain, region } = this.context.configuration;
    if (domain.dns.kind === 'none') return;
    const hostedZoneId =
      domain.dns.kind === 'hosted-zone'
        ? domain.dns.hostedZoneId
        : new CfnHostedZone(this, 'HostedZone', { name: domain.name, vpcs: [{ vpcId, vpcRegion: region }] }).ref;
    for (const [id, name] of [
      ['Record', domain.name],
      ['Wildcard', `*.${domain.name}`],
    ] as const) {
      new CfnRecordSet(this, id, {
        hostedZoneId,
        name,
        type: 'A',
        aliasTarget: {
          dnsName: this.loadBalancer.dnsName,
          hostedZoneId: this.loadBalancer.hostedZoneId,
          evaluateTargetHealth: true,
        },
      });
    }
  }
}
