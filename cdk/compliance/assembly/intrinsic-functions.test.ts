import { appOf } from '../../test/support/app-of.js';
import { IntrinsicFunctions } from './intrinsic-functions.js';
import type { Template } from './template.js';

function resolveIn(template: Template, value: unknown, others: Readonly<Record<string, Template>> = {}): unknown {
  const app = appOf({ one: template, ...others });
  return new IntrinsicFunctions(app).resolve(app.stacks[0]!, value);
}

const template: Template = {
  Resources: {
    Bucket: { Type: 'AWS::S3::Bucket', Properties: { BucketName: { 'Fn::Sub': '${AWS::AccountId}-data' } } },
    Nameless: { Type: 'AWS::S3::Bucket' },
    Key: { Type: 'AWS::KMS::Key' },
    Role: { Type: 'AWS::IAM::Role', Properties: { RoleName: 'node' } },
    Directory: { Type: 'AWS::S3Express::DirectoryBucket', Properties: { BucketName: 'a--euc1-az1--x-s3' } },
  },
  Parameters: {
    Plain: { Type: 'String', Default: 'p' },
    Stored: { Type: 'AWS::SSM::Parameter::Value<String>', Default: '/a/b' },
  },
  Conditions: {
    Yes: { 'Fn::Equals': [{ Ref: 'Plain' }, 'p'] },
    No: { 'Fn::Not': [{ Condition: 'Yes' }] },
    Both: { 'Fn::And': [{ Condition: 'Yes' }, { Condition: 'No' }] },
    Either: { 'Fn::Or': [{ Condition: 'No' }, { Condition: 'Yes' }] },
  },
  Mappings: { Map: { a: { b: 'found' } } },
};

describe('intrinsic functions', () => {
  it('give names and ARNs of resources', () => {
    expect(resolveIn(template, { Ref: 'Bucket' })).toBe('111122223333-data');
    expect(resolveIn(template, { 'Fn::GetAtt': ['Bucket', 'Arn'] })).toBe('arn:aws:s3:::111122223333-data');
    expect(resolveIn(template, { 'Fn::GetAtt': 'Role.Arn' })).toBe('arn:aws:iam::111122223333:role/node');
    expect(resolveIn(template, { 'Fn::GetAtt': ['Directory', 'Arn'] })).toBe(
      'arn:aws:s3express:eu-central-1:111122223333:bucket/a--euc1-az1--x-s3',
    );
    expect(resolveIn(template, { 'Fn::GetAtt': ['Key', 'Arn'] })).toBe(
      `arn:aws:kms:eu-central-1:111122223333:key/${String(resolveIn(template, { Ref: 'Key' }))}`,
    );
  });

  it('draw the same name for a nameless resource each time, and another for each resource', () => {
    const drawn = resolveIn(template, { Ref: 'Nameless' });
    expect(drawn).toBe(resolveIn(template, { Ref: 'Nameless' }));
    expect(drawn).toMatch(/^one-nameless-[0-9a-f]{12}$/);
    expect(
      resolveIn({ Resources: { A: { Type: 'AWS::KMS::Key' }, B: { Type: 'AWS::KMS::Key' } } }, [
        { Ref: 'A' },
        { Ref: 'B' },
      ]),
    ).not.toEqual([expect.anything(), resolveIn({ Resources: { A: { Type: 'AWS::KMS::Key' } } }, { Ref: 'A' })]);
  });

  it('join, split, select, substitute, look up', () => {
    expect(resolveIn(template, { 'Fn::Join': ['/', ['a', { Ref: 'Plain' }]] })).toBe('a/p');
    expect(resolveIn(template, { 'Fn::Select': ['1', { 'Fn::Split': [',', 'a,b'] }] })).toBe('b');
    expect(resolveIn(template, { 'Fn::Sub': ['${Bucket.Arn}/${x}', { x: { Ref: 'Plain' } }] })).toBe(
      'arn:aws:s3:::111122223333-data/p',
    );
    expect(resolveIn(template, { 'Fn::FindInMap': ['Map', 'a', 'b'] })).toBe('found');
    expect(resolveIn(template, { 'Fn::Base64': 'x' })).toBe('eA==');
  });

  it('choose by conditions', () => {
    expect(resolveIn(template, { 'Fn::If': ['Yes', 1, 2] })).toBe(1);
    expect(resolveIn(template, { 'Fn::If': ['No', 1, 2] })).toBe(2);
    expect(resolveIn(template, { 'Fn::If': ['Both', 1, 2] })).toBe(2);
    expect(resolveIn(template, { 'Fn::If': ['Either', 1, 2] })).toBe(1);
    expect(resolveIn(template, { a: { Ref: 'AWS::NoValue' }, b: [{ Ref: 'AWS::NoValue' }, 1] })).toEqual({ b: [1] });
  });

  it('follow imports, outputs and stored parameters into other stacks', () => {
    const other: Template = {
      Resources: {
        P: { Type: 'AWS::SSM::Parameter', Properties: { Name: '/a/b', Value: { 'Fn::Sub': 'stored-${AWS::Region}' } } },
      },
      Outputs: { Out: { Value: { Ref: 'AWS::StackName' }, Export: { Name: 'exported' } } },
    };
    expect(resolveIn(template, { 'Fn::ImportValue': 'exported' }, { two: other })).toBe('two');
    expect(resolveIn(template, { 'Fn::GetStackOutput': { StackName: 'two', OutputName: 'Out' } }, { two: other })).toBe(
      'two',
    );
    expect(resolveIn(template, { Ref: 'Stored' }, { two: other })).toBe('stored-eu-central-1');
  });

  it.each([
    [{ Ref: 'Nobody' }, 'nothing is called Nobody'],
    [{ 'Fn::GetAtt': ['Nobody', 'Arn'] }, 'there is no resource Nobody'],
    [{ 'Fn::ImportValue': 'nothing' }, 'no stack of the app exports nothing'],
    [{ 'Fn::GetStackOutput': { StackName: 'x', OutputName: 'y' } }, 'has no output y'],
    [{ 'Fn::Transform': {} }, 'Fn::Transform is not known'],
    [{ 'Fn::If': ['Unheard', 1, 2] }, 'Unheard is not defined'],
    [{ 'Fn::Select': ['9', ['a']] }, 'beyond the end'],
    [{ 'Fn::FindInMap': ['Map', 'a', 'z'] }, 'nothing in the mapping'],
    [{ 'Fn::Join': [',', 'text'] }, 'is not a list'],
  ])('fail on %j', (value, message) => {
    expect(() => resolveIn(template, value)).toThrow(message);
  });
});
