import type { SynthesizedStack, TemplateResource } from '../stacks/synthesize.js';
import { changeReviewText, reviewChanges } from './change-review.js';

const stack = (Resources: Record<string, TemplateResource>): SynthesizedStack[] => [
  { kind: 'foundation', stackName: 's', terminationProtection: true, template: { Resources } },
];
const bucket = (DeletionPolicy: string, days: number): TemplateResource => ({
  Type: 'AWS::S3::Bucket',
  DeletionPolicy,
  Properties: { LifecycleConfiguration: { Rules: [{ NoncurrentVersionExpiration: { NoncurrentDays: days } }] } },
});

describe('the review of changes', () => {
  it('says that nothing changes', () => {
    const same = stack({ A: bucket('Retain', 7) });
    expect(changeReviewText(reviewChanges(same, same))).toBe('nothing changes\n');
  });

  it('puts rights before network, retention and the rest', () => {
    const before = stack({
      Task: { Type: 'AWS::ECS::TaskDefinition', Properties: { Cpu: '1' } },
      Bucket: bucket('Retain', 7),
      Group: { Type: 'AWS::EC2::SecurityGroupIngress', Properties: { CidrIp: '10.0.0.0/8' } },
      Role: { Type: 'AWS::IAM::Role', Properties: { RoleName: 'a' } },
    });
    const after = stack({
      Task: { Type: 'AWS::ECS::TaskDefinition', Properties: { Cpu: '2' } },
      Bucket: bucket('Retain', 1),
      Group: { Type: 'AWS::EC2::SecurityGroupIngress', Properties: { CidrIp: '0.0.0.0/0' } },
      Role: { Type: 'AWS::IAM::Role', Properties: { RoleName: 'b' } },
    });
    const changes = reviewChanges(before, after);
    expect(changes.map(({ topic }) => topic)).toEqual(['rights', 'network', 'retention', 'other']);
    expect(changes[1]?.details).toEqual(['CidrIp: 10.0.0.0/8 → 0.0.0.0/0']);
    expect(changeReviewText(changes)).toMatch(/^Rights[\s\S]*Network: 1[\s\S]*Retention[\s\S]*Everything else: 1/);
  });

  it('warns first when data can be lost: a resource that goes with its stack, or that is not kept any more', () => {
    const removed = reviewChanges(stack({ Bucket: bucket('Delete', 7) }), stack({}));
    expect(removed).toEqual([expect.objectContaining({ kind: 'removed', endangersData: true })]);
    const released = reviewChanges(stack({ Bucket: bucket('Retain', 7) }), stack({ Bucket: bucket('Delete', 7) }));
    expect(released).toEqual([expect.objectContaining({ topic: 'retention', endangersData: true })]);
    expect(changeReviewText(released)).toMatch(/^DATA CAN BE LOST:\n {2}changed foundation\/Bucket/);
    const kept = reviewChanges(stack({ Bucket: bucket('Retain', 7) }), stack({}));
    expect(kept).toEqual([expect.objectContaining({ kind: 'removed', endangersData: false })]);
  });

  it('compares environment by name and statements by id, not by place', () => {
    const task = (Environment: object[]): TemplateResource => ({
      Type: 'AWS::ECS::TaskDefinition',
      Properties: { ContainerDefinitions: [{ Environment }] },
    });
    const [change] = reviewChanges(
      stack({
        Task: task([
          { Name: 'A', Value: '1' },
          { Name: 'TURSO_BYOC_HISTORY_DAYS', Value: '35' },
        ]),
      }),
      stack({
        Task: task([
          { Name: 'TURSO_BYOC_HISTORY_DAYS', Value: '7' },
          { Name: 'A', Value: '1' },
        ]),
      }),
    );
    expect(change).toMatchObject({
      topic: 'retention',
      details: ['ContainerDefinitions[0].Environment.TURSO_BYOC_HISTORY_DAYS: 35 → 7'],
    });
    const policy = (Statement: object[]): TemplateResource => ({
      Type: 'AWS::KMS::Key',
      DeletionPolicy: 'Retain',
      Properties: { KeyPolicy: { Statement } },
    });
    const changes = reviewChanges(
      stack({ Key: policy([{ Sid: 'Use', Action: 'kms:Decrypt' }]) }),
      stack({
        Key: policy([
          { Sid: 'Admin', Action: 'kms:DisableKey' },
          { Sid: 'Use', Action: 'kms:Decrypt' },
        ]),
      }),
    );
    expect(changes).toEqual([
      expect.objectContaining({
        topic: 'rights',
        details: [
          'KeyPolicy.Statement[Admin].Sid: (not set) → Admin',
          'KeyPolicy.Statement[Admin].Action: (not set) → kms:DisableKey',
        ],
      }),
    ]);
  });
});
