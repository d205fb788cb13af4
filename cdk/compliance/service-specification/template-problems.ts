import type { PropertyType, Resource, ResourceProperties, SpecDatabase } from '@aws-cdk/service-spec-types';
import { asList, isObject, type JsonObject, type Template, type TemplateResource } from '../assembly/template.js';
import { valueProblems, type ValueContext } from './value-problems.js';

/** One thing in a template that CloudFormation would refuse, or not understand. */
export interface TemplateProblem {
  readonly logicalId: string;
  /** Dotted path below the resource, e.g. `Properties.BucketEncryption.0.Algorithm`. */
  readonly path: string;
  readonly problem: string;
}

const resourceMembers = new Set([
  'Type',
  'Properties',
  'DependsOn',
  'Condition',
  'DeletionPolicy',
  'UpdateReplacePolicy',
  'Metadata',
  'CreationPolicy',
  'UpdatePolicy',
]);
const deletionPolicies = new Set(['Delete', 'Retain', 'Snapshot', 'RetainExceptOnCreate']);
const pseudoParameters = new Set(
  ['AccountId', 'NoValue', 'NotificationARNs', 'Partition', 'Region', 'StackId', 'StackName', 'URLSuffix'].map(
    (name) => `AWS::${name}`,
  ),
);

/**
 * Holds a template to the CloudFormation resource specification: types, properties, their shapes, required ones, attributes
 * that are read, references, dependencies. Types of the customer's own (`Custom::`) and of the CDK (`AWS::CDK::`) are not in
 * the specification; of them only what stands outside their properties is checked.
 */
export function templateProblems(template: Template, specification: SpecDatabase): readonly TemplateProblem[] {
  return Object.entries(template.Resources).flatMap(([logicalId, resource]) => [
    ...frameProblems(template, logicalId, resource),
    ...propertyProblems(logicalId, resource, specification),
    ...referenceProblems(template, logicalId, resource, specification),
  ]);
}

function frameProblems(template: Template, logicalId: string, resource: TemplateResource): readonly TemplateProblem[] {
  const problems: TemplateProblem[] = [];
  const report = (path: string, problem: string) => problems.push({ logicalId, path, problem });
  for (const member of Object.keys(resource)) {
    if (!resourceMembers.has(member)) report(member, 'is no member of a resource');
  }
  for (const member of ['DeletionPolicy', 'UpdateReplacePolicy'] as const) {
    const policy = resource[member];
    if (policy !== undefined && !deletionPolicies.has(policy)) report(member, `${policy} is no such policy`);
  }
  for (const dependency of asList(resource.DependsOn)) {
    if (!(String(dependency) in template.Resources)) report('DependsOn', `there is no resource ${String(dependency)}`);
  }
  if (resource.Condition !== undefined && !(resource.Condition in (template.Conditions ?? {}))) {
    report('Condition', `there is no condition ${resource.Condition}`);
  }
  return problems;
}

function isOutsideSpecification(type: string): boolean {
  return type.startsWith('Custom::') || type.startsWith('AWS::CDK::') || type === 'AWS::CloudFormation::CustomResource';
}

function typeOf(specification: SpecDatabase, type: string): Resource | undefined {
  return specification.lookup('resource', 'cloudFormationType', 'equals', type)[0];
}

function propertyProblems(
  logicalId: string,
  resource: TemplateResource,
  specification: SpecDatabase,
): readonly TemplateProblem[] {
  if (isOutsideSpecification(resource.Type)) return [];
  const type = typeOf(specification, resource.Type);
  if (!type) return [{ logicalId, path: 'Type', problem: `${resource.Type} is no resource type` }];
  const problems: TemplateProblem[] = [];
  const context: ValueContext = {
    propertiesOf: (reference: Extract<PropertyType, { type: 'ref' }>): ResourceProperties =>
      specification.get('typeDefinition', reference.reference).properties,
    report: (path, problem) => problems.push({ logicalId, path, problem }),
  };
  valueProblems(resource.Properties ?? {}, type.properties, 'Properties', context);
  return problems;
}

/** References that lead nowhere, and attributes that the referred resource does not have. */
function referenceProblems(
  template: Template,
  logicalId: string,
  resource: TemplateResource,
  specification: SpecDatabase,
): readonly TemplateProblem[] {
  const problems: TemplateProblem[] = [];
  const report = (path: string, problem: string) => problems.push({ logicalId, path, problem });
  const exists = (name: string) =>
    name in template.Resources || name in (template.Parameters ?? {}) || pseudoParameters.has(name);

  const visit = (value: unknown, path: string): void => {
    if (Array.isArray(value)) {
      value.forEach((element, index) => visit(element, `${path}.${index}`));
      return;
    }
    if (!isObject(value)) return;
    if (isCall(value, 'Ref') && !exists(String(value['Ref'])))
      report(path, `nothing is called ${String(value['Ref'])}`);
    if (isCall(value, 'Fn::GetAtt')) {
      const argument = value['Fn::GetAtt'];
      const [target, ...rest] = typeof argument === 'string' ? argument.split('.') : (argument as string[]);
      const attribute = rest.join('.');
      const type = template.Resources[target ?? '']?.Type;
      if (type === undefined) report(path, `there is no resource ${String(target)}`);
      else if (!isOutsideSpecification(type) && !hasAttribute(typeOf(specification, type), attribute)) {
        report(path, `${type} has no attribute ${attribute}`);
      }
    }
    for (const [name, member] of Object.entries(value)) visit(member, `${path}.${name}`);
  };
  visit(resource.Properties, 'Properties');
  return problems;
}

function isCall(value: JsonObject, name: string): boolean {
  return name in value && Object.keys(value).length === 1;
}

/** `Outputs.…` of nested stacks are whatever the nested template says. */
function hasAttribute(type: Resource | undefined, attribute: string): boolean {
  if (!type) return true; // its type is reported where it stands
  return attribute in type.attributes || attribute.startsWith('Outputs.');
}
