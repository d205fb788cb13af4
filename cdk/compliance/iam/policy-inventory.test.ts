import { appOf } from '../../test/support/app-of.js';
import { IntrinsicFunctions } from '../assembly/intrinsic-functions.js';
import { coversAction, matchesPattern, policyDocumentOf } from './policy-document.js';
import { policyInventoryOf } from './policy-inventory.js';

const document = (Action: string) => ({ Version: '2012-10-17', Statement: { Effect: 'Allow', Action, Resource: '*' } });
const app = appOf({
  iam: {
    Resources: {
      Boundary: {
        Type: 'AWS::IAM::ManagedPolicy',
        Properties: { ManagedPolicyName: 'boundary', PolicyDocument: document('a:Boundary') },
      },
      Role: {
        Type: 'AWS::IAM::Role',
        Properties: {
          RoleName: 'node',
          PermissionsBoundary: { Ref: 'Boundary' },
          AssumeRolePolicyDocument: {
            Statement: [
              { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'ecs-tasks.amazonaws.com' } },
            ],
          },
          Policies: [{ PolicyName: 'inline', PolicyDocument: document('a:Inline') }],
          ManagedPolicyArns: [{ Ref: 'Managed' }, 'arn:aws:iam::aws:policy/ReadOnlyAccess'],
        },
      },
      Managed: { Type: 'AWS::IAM::ManagedPolicy', Properties: { PolicyDocument: document('a:Managed') } },
      Attached: {
        Type: 'AWS::IAM::Policy',
        Properties: { PolicyName: 'p', Roles: [{ Ref: 'Role' }], PolicyDocument: document('a:Attached') },
      },
    },
  },
  storage: {
    Resources: {
      Bucket: { Type: 'AWS::S3::Bucket', Properties: { BucketName: 'data' } },
      Policy: {
        Type: 'AWS::S3::BucketPolicy',
        Properties: { Bucket: { Ref: 'Bucket' }, PolicyDocument: document('s3:*') },
      },
      Key: { Type: 'AWS::KMS::Key', Properties: { KeyPolicy: document('kms:*') } },
      Unpoliced: { Type: 'AWS::ECR::Repository' },
    },
  },
});

describe('the policy inventory', () => {
  const { principals, resourcePolicies } = policyInventoryOf(app, new IntrinsicFunctions(app));

  it('finds every policy of a role, however it was attached', () => {
    const [role] = principals;
    expect(role!.arn).toBe('arn:aws:iam::111122223333:role/node');
    const actions = role!.identityPolicies.flatMap((policy) =>
      policy.document.Statement.flatMap(({ Action }) => Action),
    );
    expect(actions).toEqual(['a:Inline', 'a:Attached', 'a:Managed']);
    expect(role!.boundary).toEqual({
      arn: 'arn:aws:iam::111122223333:policy/boundary',
      document: expect.objectContaining({ Version: '2012-10-17' }),
    });
    expect(role!.trust?.Statement[0]?.Principal).toEqual({ Service: ['ecs-tasks.amazonaws.com'] });
  });

  it('names policies whose text nobody here has', () => {
    expect(principals[0]!.foreignPolicyArns).toEqual(['arn:aws:iam::aws:policy/ReadOnlyAccess']);
  });

  it('finds policies of resources, in them and beside them', () => {
    expect(resourcePolicies.map(({ type, resourceArn }) => [type, resourceArn])).toEqual([
      ['AWS::S3::Bucket', 'arn:aws:s3:::data'],
      ['AWS::KMS::Key', expect.stringMatching(/^arn:aws:kms:eu-central-1:111122223333:key\//)],
    ]);
  });
});

describe('a policy document', () => {
  it('is read with one or many of everything', () => {
    const { Statement } = policyDocumentOf(
      {
        Statement: {
          Effect: 'Deny',
          Principal: '*',
          NotAction: 'a',
          Resource: ['b', 'c'],
          Condition: { Bool: { x: false } },
        },
      },
      'it',
    );
    expect(Statement).toEqual([
      { Effect: 'Deny', Principal: '*', NotAction: ['a'], Resource: ['b', 'c'], Condition: { Bool: { x: ['false'] } } },
    ]);
  });

  it.each([
    [null],
    ['text'],
    [{ Statement: [{ Effect: 'Perhaps' }] }],
    [{ Statement: [{ Effect: 'Allow', Principal: 'arn' }] }],
    [{ Statement: [{ Effect: 'Allow', Condition: [] }] }],
  ])('is refused when it is none: %j', (value) => {
    expect(() => policyDocumentOf(value, 'it')).toThrow(/^it: /);
  });

  it('matches as IAM does', () => {
    expect(matchesPattern('arn:aws:s3:::a/*', 'arn:aws:s3:::a/b/c')).toBe(true);
    expect(matchesPattern('a?c', 'abc')).toBe(true);
    expect(matchesPattern('a.c', 'abc')).toBe(false);
    expect(coversAction({ Action: ['KMS:decrypt'] }, 'kms:Decrypt')).toBe(true);
    expect(coversAction({ NotAction: ['iam:*'] }, 'kms:Decrypt')).toBe(true);
    expect(coversAction({ NotAction: ['kms:*'] }, 'kms:Decrypt')).toBe(false);
    expect(coversAction({}, 'kms:Decrypt')).toBe(false);
  });
});
