import { loadAwsServiceSpecSync } from '@aws-cdk/aws-service-spec';
import type { TemplateResource } from '../assembly/template.js';
import { templateProblems } from './template-problems.js';

const specification = loadAwsServiceSpecSync();
const problemsOf = (resource: TemplateResource, others: Readonly<Record<string, TemplateResource>> = {}) =>
  templateProblems({ Resources: { It: resource, ...others } }, specification).map(
    ({ path, problem }) => `${path} ${problem}`,
  );
const bucket = (Properties: Readonly<Record<string, unknown>>): TemplateResource => ({
  Type: 'AWS::S3::Bucket',
  Properties,
});

describe('a template held to the resource specification', () => {
  it('passes when it is right, directory buckets included', () => {
    expect(
      problemsOf({
        Type: 'AWS::S3Express::DirectoryBucket',
        Properties: {
          LocationName: 'use1-az4',
          DataRedundancy: 'SingleAvailabilityZone',
          BucketName: { Ref: 'AWS::StackName' },
        },
      }),
    ).toEqual([]);
    expect(
      problemsOf(bucket({ VersioningConfiguration: { Status: 'Enabled' }, Tags: [{ Key: 'a', Value: 'b' }] })),
    ).toEqual([]);
  });

  it('fails for a planted typo of a property, at any depth, and says what was meant', () => {
    expect(problemsOf(bucket({ VersioningConfigurations: { Status: 'Enabled' } }))).toEqual([
      expect.stringMatching(
        /^Properties\.VersioningConfigurations is no property; there are .*VersioningConfiguration/,
      ),
    ]);
    expect(problemsOf(bucket({ VersioningConfiguration: { State: 'Enabled' } }))).toEqual(
      expect.arrayContaining([expect.stringMatching(/^Properties\.VersioningConfiguration\.State is no property/)]),
    );
  });

  it('fails for a planted typo of a type', () => {
    expect(problemsOf({ Type: 'AWS::S3::Buket' })).toEqual(['Type AWS::S3::Buket is no resource type']);
    expect(problemsOf({ Type: 'AWS::S3Express::DirectoryBuckets' })).toHaveLength(1);
  });

  it('fails for a value of another shape', () => {
    expect(problemsOf(bucket({ Tags: 'a' }))).toEqual(['Properties.Tags is not a list']);
    expect(problemsOf(bucket({ BucketName: ['a'] }))).toEqual(['Properties.BucketName is not a string']);
    expect(problemsOf(bucket({ VersioningConfiguration: 'Enabled' }))).toEqual([
      'Properties.VersioningConfiguration is not a structure',
    ]);
    expect(problemsOf({ Type: 'AWS::Logs::LogGroup', Properties: { RetentionInDays: 'long' } })).toEqual([
      'Properties.RetentionInDays is not an integer',
    ]);
    expect(problemsOf({ Type: 'AWS::KMS::Key', Properties: { EnableKeyRotation: 'yes' } })).toEqual([
      'Properties.EnableKeyRotation is not a boolean',
    ]);
  });

  it('fails for a missing required property', () => {
    expect(problemsOf({ Type: 'AWS::IAM::Role', Properties: {} })).toEqual([
      'Properties.AssumeRolePolicyDocument is required',
    ]);
  });

  it('looks into both branches of a condition', () => {
    const status = { 'Fn::If': ['Versioned', { Status: 'Enabled' }, { Statu: 'Suspended' }] };
    expect(problemsOf(bucket({ VersioningConfiguration: status }))).toEqual(
      expect.arrayContaining([expect.stringMatching(/^Properties\.VersioningConfiguration\.Statu is no property/)]),
    );
  });

  it('fails for references that lead nowhere', () => {
    expect(problemsOf(bucket({ BucketName: { Ref: 'Nobody' } }))).toEqual([
      'Properties.BucketName nothing is called Nobody',
    ]);
    expect(problemsOf(bucket({ BucketName: { 'Fn::GetAtt': ['Nobody', 'Arn'] } }))).toEqual([
      'Properties.BucketName there is no resource Nobody',
    ]);
    expect(problemsOf({ ...bucket({}), DependsOn: ['Nobody'] })).toEqual(['DependsOn there is no resource Nobody']);
    expect(problemsOf({ ...bucket({}), Condition: 'Never' })).toEqual(['Condition there is no condition Never']);
  });

  it('fails for attributes that a type does not have', () => {
    const key = { Key: { Type: 'AWS::KMS::Key', Properties: {} } };
    const policyOf = (attribute: string) => ({
      Type: 'AWS::KMS::Alias',
      Properties: { AliasName: 'alias/a', TargetKeyId: { 'Fn::GetAtt': ['Key', attribute] } },
    });
    expect(problemsOf(policyOf('Arn'), key)).toEqual([]);
    expect(problemsOf(policyOf('ARN'), key)).toEqual(['Properties.TargetKeyId AWS::KMS::Key has no attribute ARN']);
  });

  it('fails for what is beside the properties and means nothing', () => {
    expect(problemsOf({ ...bucket({}), DeletionPolicy: 'Keep' })).toEqual(['DeletionPolicy Keep is no such policy']);
    expect(problemsOf({ ...bucket({}), Propertys: {} } as TemplateResource)).toEqual([
      'Propertys is no member of a resource',
    ]);
  });

  it('does not judge the properties of types that are not in the specification', () => {
    expect(problemsOf({ Type: 'Custom::Anything', Properties: { ServiceToken: 'arn', Whatever: 1 } })).toEqual([]);
    expect(problemsOf({ Type: 'AWS::CDK::Metadata', Properties: { Analytics: 'v2' } })).toEqual([]);
  });
});
