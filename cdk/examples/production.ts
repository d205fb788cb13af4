import type { DeploymentConfiguration } from '../config/deployment-configuration.js';

/**
 * Three zones, a log in three of them, clients on the internet behind a firewall, all compliance packs, an emergency role, and
 * a way out for sign-in with an identity provider.
 */
export const deployment: DeploymentConfiguration = {
  name: 'production',
  account: '111122223333',
  region: 'us-east-1',
  zones: [
    { name: 'us-east-1a', id: 'use1-az4' },
    { name: 'us-east-1b', id: 'use1-az5' },
    { name: 'us-east-1c', id: 'use1-az6' },
  ],
  compute: { kind: 'ecs-ec2', instanceType: 'm7gd.2xlarge' },
  dataNodes: { cpuUnits: 4096, memoryMiB: 16_384, cacheGiB: 100, minimum: 3, maximum: 30 },
  exposure: { kind: 'public' },
  domain: {
    name: 'db.example.com',
    certificate: { kind: 'create' },
    dns: {
      kind: 'hosted-zone',
      hostedZoneId: 'Z0123456789ABCDEFGHIJ',
      zoneName: 'example.com',
      visibility: 'public',
    },
  },
  log: { kind: 'express-quorum' },
  keys: {
    groups: [{ group: 'payments', key: { kind: 'create' } }],
    administratorRoleArns: ['arn:aws:iam::111122223333:role/key-administrator'],
    auditorRoleArns: ['arn:aws:iam::111122223333:role/auditor'],
  },
  retention: { pointInTimeDays: 90, auditDays: 2192 },
  alarms: {
    emailAddresses: ['on-call@example.com'],
    topicArns: ['arn:aws:sns:us-east-1:111122223333:pager'],
    runbookBase: 'https://runbooks.example.com/turso-byoc',
  },
  emergency: { enabled: true, principalArns: ['arn:aws:iam::111122223333:role/on-call'] },
  compliance: {
    configRecorder: 'present',
    conformancePacks: [
      { name: 'pci-dss-4', template: 's3://111122223333-conformance-packs/pci-dss-4.yaml' },
      { name: 'hipaa-security', template: 's3://111122223333-conformance-packs/hipaa-security.yaml' },
      { name: 'nist-800-53-r5', template: 's3://111122223333-conformance-packs/nist-800-53-r5.yaml' },
    ],
  },
  images: {
    dataPlane:
      '111122223333.dkr.ecr.us-east-1.amazonaws.com/turso-byoc/data-plane@sha256:1111111111111111111111111111111111111111111111111111111111111111',
    controlPlane:
      '111122223333.dkr.ecr.us-east-1.amazonaws.com/turso-byoc/control-plane@sha256:2222222222222222222222222222222222222222222222222222222222222222',
  },
  egress: { kind: 'allow-list', hosts: ['login.example.com'] },
  tags: { environment: 'production', 'cost-center': '4711' },
};
