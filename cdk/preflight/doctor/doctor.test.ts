import { withDefaults } from '../../config/defaults.js';
import { deployment as production } from '../../examples/production.js';
import { runningEvidence } from '../../compliance/evidence/running-evidence.js';
import { appOf } from '../../test/support/app-of.js';
import { known, type Answer } from '../answer.js';
import { exitStatusOf } from '../finding.js';
import { doctor } from './doctor.js';
import type { RunningDeployment } from './running-deployment.js';

const app = appOf({
  data: {
    Resources: {
      Cluster: { Type: 'AWS::ECS::Cluster', Properties: { ClusterName: 'production' } },
      Service: { Type: 'AWS::ECS::Service', Properties: { Cluster: { Ref: 'Cluster' } } },
    },
  },
});
const refused = async (): Promise<Answer<never>> => ({ known: false, why: 'AccessDenied: no' });
const resource = (logicalId: string, type: string) => ({
  logicalId,
  type,
  physicalId: `physical-${logicalId}`,
  status: 'CREATE_COMPLETE',
});

function deployment(change: Partial<RunningDeployment> = {}): RunningDeployment {
  return {
    identity: async () => known({ account: '111122223333', arn: 'arn:aws:iam::111122223333:role/operator' }),
    stack: async () => known({ status: 'UPDATE_COMPLETE', terminationProtected: true, updated: new Date(0) }),
    resources: async () =>
      known([
        resource('Service', 'AWS::ECS::Service'),
        resource('Alarm', 'AWS::CloudWatch::Alarm'),
        resource('Key', 'AWS::KMS::Key'),
        resource('Trail', 'AWS::CloudTrail::Trail'),
        resource('Bucket', 'AWS::S3::Bucket'),
        resource('Group', 'AWS::Logs::LogGroup'),
      ]),
    service: async () => known({ desired: 3, running: 3, rollout: 'COMPLETED' }),
    alarms: async (names) => known(new Map(names.map((name) => [name, 'OK']))),
    key: async () => known({ state: 'Enabled', usage: 'ENCRYPT_DECRYPT', spec: 'SYMMETRIC_DEFAULT', rotates: true }),
    trail: async () => known({ logging: true, deliveryError: undefined }),
    bucket: async () => known({ keyArn: 'arn:key', versioned: true, publicAccessBlocked: true, locked: false }),
    logGroup: async () => known({ retentionDays: 365, keyArn: 'arn:key' }),
    health: async () => known(200),
    ...change,
  };
}

const examine = (change: Partial<RunningDeployment> = {}) => doctor(withDefaults(production), app, deployment(change));

async function only(check: string, change: Partial<RunningDeployment>): Promise<readonly string[]> {
  const bad = (await examine(change)).filter(({ outcome }) => outcome === 'problem');
  expect(new Set(bad.map((finding) => finding.check))).toEqual(new Set([check]));
  expect(bad.every(({ fix }) => fix !== undefined)).toBe(true);
  return bad.map(({ says }) => says);
}

describe('the doctor', () => {
  it('finds a healthy deployment healthy', async () => {
    const findings = await examine();
    expect(findings.every(({ outcome }) => outcome === 'ok')).toBe(true);
    expect(new Set(findings.map(({ check }) => check))).toEqual(
      new Set(['credentials', 'stacks', 'services', 'alarms', 'keys', 'trail', 'health']),
    );
  });

  it('looks into no other account', async () => {
    const findings = await examine({ identity: async () => known({ account: '999988887777', arn: 'x' }) });
    expect(findings).toMatchObject([{ outcome: 'problem', check: 'credentials' }]);
    expect(exitStatusOf(await examine({ identity: refused }))).toBe(1);
  });

  it('tells what it may not see from what is wrong', async () => {
    const blind = await examine({
      resources: async () =>
        known([
          resource('Service', 'AWS::ECS::Service'),
          resource('Alarm', 'AWS::CloudWatch::Alarm'),
          resource('Key', 'AWS::KMS::Key'),
          resource('Trail', 'AWS::CloudTrail::Trail'),
        ]),
      service: refused,
      alarms: refused,
      key: refused,
      trail: refused,
      health: refused,
    });
    expect(exitStatusOf(blind)).toBe(0);
    expect(blind.filter(({ outcome }) => outcome === 'unknown')).toHaveLength(6);
  });

  it('examines stacks', async () => {
    expect(
      await only('stacks', {
        stack: async () => known({ status: 'UPDATE_ROLLBACK_FAILED', terminationProtected: true, updated: undefined }),
      }),
    ).toEqual(['data is UPDATE_ROLLBACK_FAILED']);
    expect(
      await only('stacks', {
        stack: async () => known({ status: 'CREATE_COMPLETE', terminationProtected: false, updated: undefined }),
      }),
    ).toEqual(['data is not protected from termination']);
  });

  it('says what is not deployed', async () => {
    const missing = (await examine({ stack: async () => known('missing' as const) })).filter(
      ({ outcome }) => outcome === 'problem',
    );
    expect(missing.map(({ says }) => says)).toEqual(['data is not deployed', 'Service is not deployed']);
  });

  it('examines services', async () => {
    expect(
      await only('services', { service: async () => known({ desired: 3, running: 1, rollout: 'IN_PROGRESS' }) }),
    ).toEqual(['Service runs 1 of 3 tasks']);
    expect(
      await only('services', { service: async () => known({ desired: 3, running: 3, rollout: 'FAILED' }) }),
    ).toEqual(['the last deployment of Service failed and was rolled back']);
    expect(await only('services', { service: async () => known('missing' as const) })).toEqual(['Service is gone']);
  });

  it('examines alarms', async () => {
    expect(await only('alarms', { alarms: async () => known(new Map([['physical-Alarm', 'ALARM']])) })).toEqual([
      'physical-Alarm is in alarm',
    ]);
    expect(await only('alarms', { alarms: async () => known(new Map()) })).toEqual(['physical-Alarm is gone']);
  });

  it.each([
    [{ state: 'Disabled', usage: 'ENCRYPT_DECRYPT', spec: 'SYMMETRIC_DEFAULT', rotates: true }, 'is Disabled'],
    [{ state: 'Enabled', usage: 'ENCRYPT_DECRYPT', spec: 'SYMMETRIC_DEFAULT', rotates: false }, 'does not rotate'],
    ['missing' as const, 'is gone'],
  ])('examines keys: %j', async (answer, says) => {
    expect((await only('keys', { key: async () => known(answer) }))[0]).toContain(says);
  });

  it('examines the trail', async () => {
    expect(
      (await only('trail', { trail: async () => known({ logging: false, deliveryError: undefined }) }))[0],
    ).toContain('records nothing');
    expect(
      (await only('trail', { trail: async () => known({ logging: true, deliveryError: 'NoSuchBucket' }) }))[0],
    ).toContain('cannot deliver: NoSuchBucket');
    expect((await only('trail', { trail: async () => known('missing' as const) }))[0]).toContain('is gone');
  });

  it('asks whether it answers', async () => {
    expect(await only('health', { health: async () => known(503) })).toEqual([
      'https://api.db.example.com/health answers 503',
      'https://health.db.example.com/health answers 503',
    ]);
  });
});

describe('evidence of the running deployment', () => {
  it('says what was read', async () => {
    const { rows } = await runningEvidence(app, deployment());
    expect(rows).toEqual([
      ['stack', 'data', 'UPDATE_COMPLETE, protected from termination'],
      ['AWS::KMS::Key', 'physical-Key', 'Enabled, SYMMETRIC_DEFAULT, rotates'],
      ['AWS::CloudTrail::Trail', 'physical-Trail', 'records'],
      [
        'AWS::S3::Bucket',
        'physical-Bucket',
        'encrypted with arn:key, versioned, public access blocked, objects not locked',
      ],
      ['AWS::Logs::LogGroup', 'physical-Group', 'kept 365 days, arn:key'],
    ]);
  });

  it('says what could not be read, and why', async () => {
    const { rows, statement } = await runningEvidence(
      app,
      deployment({ key: refused, bucket: refused, logGroup: refused, trail: refused }),
    );
    expect(rows.filter(([, , state]) => state === 'not read: AccessDenied: no')).toHaveLength(4);
    expect(statement[0]).toContain('4 could not be read');
  });
});
