import type { DeploymentConfiguration } from '../config/deployment-configuration.js';

/** The cheapest complete deployment: two zones, a regional log, one node of each kind, nothing that stays when it is removed. */
export const deployment: DeploymentConfiguration = {
  name: 'dev',
  account: '111122223333',
  region: 'eu-west-1',
  zones: [
    { name: 'eu-west-1a', id: 'euw1-az1' },
    { name: 'eu-west-1b', id: 'euw1-az2' },
  ],
  compute: { kind: 'ecs-fargate' },
  dataNodes: { cpuUnits: 1024, memoryMiB: 2048, cacheGiB: 21, minimum: 1, maximum: 2, commitWindowMs: 100 },
  controlPlane: { cpuUnits: 256, memoryMiB: 512, count: 1 },
  domain: {
    name: 'dev.db.example.com',
    certificate: {
      kind: 'import',
      arn: 'arn:aws:acm:eu-west-1:111122223333:certificate/0b0c0d0e-1111-2222-3333-444455556666',
    },
    dns: { kind: 'create-private' },
  },
  log: { kind: 'standard' },
  retention: { pointInTimeDays: 7, undeleteDays: 1, auditDays: 1, logDays: 30 },
  images: {
    dataPlane:
      '111122223333.dkr.ecr.eu-west-1.amazonaws.com/turso-byoc/data-plane@sha256:1111111111111111111111111111111111111111111111111111111111111111',
    controlPlane:
      '111122223333.dkr.ecr.eu-west-1.amazonaws.com/turso-byoc/control-plane@sha256:2222222222222222222222222222222222222222222222222222222222222222',
  },
  tags: { environment: 'dev' },
  removalProtection: false,
};
