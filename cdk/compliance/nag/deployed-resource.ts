import { CfnResource, Stack } from 'aws-cdk-lib';
import { asList, isObject, type JsonObject } from '../assembly/template.js';
import { statementOf, type Statement } from '../iam/policy-document.js';

/**
 * A resource as its template will have it, overrides included. (The members of the construct's class do not show what
 * `addPropertyOverride` changed.) Intrinsic functions are still in it.
 */
function deployed(node: CfnResource): JsonObject {
  const rendered: unknown = Stack.of(node).resolve(
    (node as unknown as { _toCloudFormation(): unknown })._toCloudFormation(),
  );
  const resources = isObject(rendered) ? rendered['Resources'] : undefined;
  const resource = isObject(resources) ? Object.values(resources)[0] : undefined;
  return isObject(resource) ? resource : {};
}

export function deployedProperties(node: CfnResource): JsonObject {
  const properties = deployed(node)['Properties'];
  return isObject(properties) ? properties : {};
}

export function deployedAttribute(
  node: CfnResource,
  name: 'DeletionPolicy' | 'UpdateReplacePolicy',
): string | undefined {
  const value = deployed(node)[name];
  return typeof value === 'string' ? value : undefined;
}

/**
 * A value as text that can be searched: joined strings are joined, a reference becomes `${LogicalId}` or
 * `${LogicalId.Attribute}`, what is imported from another stack `${import <export>}`.
 */
export function asText(value: unknown): string {
  if (!isObject(value)) return Array.isArray(value) ? value.map(asText).join(',') : String(value);
  const [name, argument] = Object.entries(value)[0] ?? [];
  switch (name) {
    case 'Ref':
      return `\${${String(argument)}}`;
    case 'Fn::GetAtt':
      return `\${${asList(argument).map(String).join('.')}}`;
    case 'Fn::Join': {
      const [separator, parts] = argument as [string, unknown];
      return asList(parts).map(asText).join(separator);
    }
    case 'Fn::Sub':
      return String(asList(argument)[0]);
    case 'Fn::ImportValue':
      return `\${import ${asText(argument)}}`;
    default:
      return JSON.stringify(value);
  }
}

/** The properties that hold policy documents, by type of resource. */
const documentMembers: Readonly<Record<string, readonly string[]>> = {
  'AWS::IAM::Role': ['AssumeRolePolicyDocument'],
  'AWS::IAM::Policy': ['PolicyDocument'],
  'AWS::IAM::RolePolicy': ['PolicyDocument'],
  'AWS::IAM::ManagedPolicy': ['PolicyDocument'],
  'AWS::S3::BucketPolicy': ['PolicyDocument'],
  'AWS::S3Express::BucketPolicy': ['PolicyDocument'],
  'AWS::KMS::Key': ['KeyPolicy'],
  'AWS::SNS::TopicPolicy': ['PolicyDocument'],
  'AWS::SQS::QueuePolicy': ['PolicyDocument'],
  'AWS::SecretsManager::ResourcePolicy': ['ResourcePolicy'],
  'AWS::ECR::Repository': ['RepositoryPolicyText'],
  'AWS::EC2::VPCEndpoint': ['PolicyDocument'],
  'AWS::Logs::ResourcePolicy': ['PolicyDocument'],
};

/** Every statement that a resource carries: in documents about itself, and in policies of a role that stand in it. */
export function deployedStatements(node: CfnResource): readonly Statement[] {
  const properties = deployedProperties(node);
  const documents = (documentMembers[node.cfnResourceType] ?? []).map((member) => properties[member]);
  const inline = asList(properties['Policies']).map((policy) =>
    isObject(policy) ? policy['PolicyDocument'] : undefined,
  );
  return [...documents, ...inline].filter(isObject).flatMap((document) => statementsOf(document, node.node.path));
}

/**
 * Whether a resource's statements only limit what others grant: the policy of an endpoint, a permissions boundary (a managed policy
 * that nobody has attached). A wide ceiling grants nothing.
 */
export function isCeiling(node: CfnResource): boolean {
  if (node.cfnResourceType === 'AWS::EC2::VPCEndpoint') return true;
  if (node.cfnResourceType !== 'AWS::IAM::ManagedPolicy') return false;
  const properties = deployedProperties(node);
  return ['Roles', 'Users', 'Groups'].every((holders) => asList(properties[holders]).length === 0);
}

/** Statements of one document, with references as text. */
export function statementsOf(document: JsonObject, what: string): readonly Statement[] {
  return asList(document['Statement']).map((statement) => statementOf(withTexts(statement), what));
}

function withTexts(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withTexts);
  if (!isObject(value)) return value;
  const [name, ...others] = Object.keys(value);
  if (name !== undefined && others.length === 0 && (name === 'Ref' || name.startsWith('Fn::'))) return asText(value);
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withTexts(member)]));
}

/** The properties of those policies of a type that a resource of their own attaches to `node`. */
export function policiesFor(node: CfnResource, policyType: string): readonly JsonObject[] {
  const stack = Stack.of(node);
  const wanted = stack.resolve(node.ref) as unknown;
  const arn = `\${${stack.getLogicalId(node)}.Arn}`;
  const name = deployedProperties(node)['BucketName'];
  return stack.node
    .findAll()
    .filter((construct) => CfnResource.isCfnResource(construct))
    .filter((resource) => resource.cfnResourceType === policyType)
    .map(deployedProperties)
    .filter((properties) => {
      const target = properties['Bucket'];
      if (target === undefined) return false;
      return (
        JSON.stringify(target) === JSON.stringify(wanted) || asText(target) === arn || asText(target) === asText(name)
      );
    });
}
