import type { DeploymentConfiguration } from '../config/deployment-configuration.js';

/** Nothing comes from or goes to the internet; a lock on the audit trail that nobody can lift. */
export const deployment: DeploymentConfiguration = {
  name: 'vault',
  account: '111122223333',
  region: 'us-gov-west-1',
  zones: [
    { name: 'us-gov-west-1a', id: 'usgw1-az1' },
    { name: 'us-gov-west-1b', id: 'usgw1-az2' },
    { name: 'us-gov-west-1c', id: 'usgw1-az3' },
  ],
  compute: { kind: 'ecs-fargate' },
  domain: {
    name: 'db.agency.example',
    certificate: {
      kind: 'import',
      arn: 'arn:aws-us-gov:acm:us-gov-west-1:111122223333:certificate/0b0c0d0e-1111-2222-3333-444455556666',
    },
    dns: { kind: 'create-private' },
  },
  exposure: { kind: 'private', allowedCidrs: ['10.0.0.0/8'] },
  log: { kind: 'standard' },
  tokens: { signingKey: 'secret' },
  retention: { auditDays: 2192, auditLock: 'compliance', logDays: 2192 },
  alarms: { topicArns: ['arn:aws-us-gov:sns:us-gov-west-1:111122223333:on-call'] },
  images: {
    dataPlane:
      '111122223333.dkr.ecr.us-gov-west-1.amazonaws.com/turso-byoc/data-plane@sha256:1111111111111111111111111111111111111111111111111111111111111111',
    controlPlane:
      '111122223333.dkr.ecr.us-gov-west-1.amazonaws.com/turso-byoc/control-plane@sha256:2222222222222222222222222222222222222222222222222222222222222222',
  },
  airGapped: true,
};
