import type { DeploymentConfiguration } from '../config/deployment-configuration.js';

/** Into a network that is there already, with keys and a permissions boundary of the customer's own, through PrivateLink. */
export const deployment: DeploymentConfiguration = {
  name: 'shared',
  account: '111122223333',
  region: 'eu-north-1',
  zones: [
    { name: 'eu-north-1a', id: 'eun1-az1' },
    { name: 'eu-north-1b', id: 'eun1-az2' },
    { name: 'eu-north-1c', id: 'eun1-az3' },
  ],
  compute: { kind: 'ecs-fargate' },
  network: {
    kind: 'import',
    vpcId: 'vpc-0123456789abcdef0',
    cidr: '10.20.0.0/16',
    subnets: [
      { zone: 'eu-north-1a', subnetId: 'subnet-0123456789abcdef0', routeTableId: 'rtb-0123456789abcdef0' },
      { zone: 'eu-north-1b', subnetId: 'subnet-0123456789abcdef1', routeTableId: 'rtb-0123456789abcdef1' },
      { zone: 'eu-north-1c', subnetId: 'subnet-0123456789abcdef2', routeTableId: 'rtb-0123456789abcdef2' },
    ],
  },
  exposure: { kind: 'privatelink', allowedPrincipalArns: ['arn:aws:iam::444455556666:root'] },
  domain: {
    name: 'db.internal.example.com',
    certificate: {
      kind: 'import',
      arn: 'arn:aws:acm:eu-north-1:111122223333:certificate/0b0c0d0e-1111-2222-3333-444455556666',
    },
    dns: {
      kind: 'hosted-zone',
      hostedZoneId: 'Z0123456789ABC',
      zoneName: 'internal.example.com',
      visibility: 'private',
    },
  },
  log: { kind: 'express', zoneId: 'eun1-az1' },
  keys: {
    databases: {
      kind: 'import',
      arn: 'arn:aws:kms:eu-north-1:444455556666:key/0b0c0d0e-1111-2222-3333-444455556666',
    },
  },
  alarms: { topicArns: ['arn:aws:sns:eu-north-1:111122223333:on-call'] },
  permissionsBoundary: { kind: 'import', policyArn: 'arn:aws:iam::111122223333:policy/company-boundary' },
  compliance: { trail: 'present' },
  images: {
    dataPlane:
      '444455556666.dkr.ecr.eu-north-1.amazonaws.com/turso-byoc/data-plane@sha256:1111111111111111111111111111111111111111111111111111111111111111',
    controlPlane:
      '444455556666.dkr.ecr.eu-north-1.amazonaws.com/turso-byoc/control-plane@sha256:2222222222222222222222222222222222222222222222222222222222222222',
  },
  trustedAccounts: ['444455556666'],
};
