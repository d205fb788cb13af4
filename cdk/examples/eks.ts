import type { DeploymentConfiguration } from '../config/deployment-configuration.js';

/** On Kubernetes: an EKS cluster without a public endpoint, for the Helm chart. */
export const deployment: DeploymentConfiguration = {
  name: 'kube',
  account: '111122223333',
  region: 'us-west-2',
  zones: [
    { name: 'us-west-2a', id: 'usw2-az1' },
    { name: 'us-west-2b', id: 'usw2-az3' },
    { name: 'us-west-2c', id: 'usw2-az4' },
  ],
  compute: { kind: 'eks', administratorRoleArns: ['arn:aws:iam::111122223333:role/platform'] },
  domain: {
    name: 'db.example.com',
    certificate: {
      kind: 'import',
      arn: 'arn:aws:acm:us-west-2:111122223333:certificate/0b0c0d0e-1111-2222-3333-444455556666',
    },
    dns: { kind: 'none' },
  },
  log: { kind: 'express-quorum' },
  alarms: { emailAddresses: ['on-call@example.com'] },
  images: {
    dataPlane:
      '111122223333.dkr.ecr.us-west-2.amazonaws.com/turso-byoc/data-plane@sha256:1111111111111111111111111111111111111111111111111111111111111111',
    controlPlane:
      '111122223333.dkr.ecr.us-west-2.amazonaws.com/turso-byoc/control-plane@sha256:2222222222222222222222222222222222222222222222222222222222222222',
  },
};
