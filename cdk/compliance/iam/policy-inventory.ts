import type { IntrinsicFunctions } from '../assembly/intrinsic-functions.js';
import { resourcesOf, type SynthesizedApp } from '../assembly/synthesized-app.js';
import { asList, isObject } from '../assembly/template.js';
import { policyDocumentOf, type PolicyDocument } from './policy-document.js';

/** A role or a user of the deployment, with every policy that decides about it. */
export interface DeploymentPrincipal {
  readonly kind: 'role' | 'user';
  /** `<stack>/<logical id>` */
  readonly id: string;
  readonly name: string;
  readonly arn: string;
  readonly account: string;
  readonly description: string | undefined;
  /** Who may become it; users have none. */
  readonly trust: PolicyDocument | undefined;
  readonly identityPolicies: readonly NamedPolicy[];
  /** ARNs of attached policies that no stack of the deployment defines, e.g. those that AWS manages. */
  readonly foreignPolicyArns: readonly string[];
  readonly boundary: { readonly arn: string; readonly document: PolicyDocument | undefined } | undefined;
}

export interface NamedPolicy {
  readonly name: string;
  readonly document: PolicyDocument;
}

/** A policy that a resource carries about who may use it. */
export interface ResourcePolicy {
  readonly id: string;
  /** Type of what it protects, e.g. `AWS::S3::Bucket`. */
  readonly type: string;
  readonly resourceArn: string;
  readonly account: string;
  readonly document: PolicyDocument;
}

export interface PolicyInventory {
  readonly principals: readonly DeploymentPrincipal[];
  readonly resourcePolicies: readonly ResourcePolicy[];
}

/** How each type of resource that carries policies says what it protects, and with what. */
interface PolicyCarrier {
  readonly carrier: string;
  readonly protects: string;
  readonly document: string;
  /** The property that refers to what is protected; none: the resource protects itself. */
  readonly target?: string;
}

const carriers: readonly PolicyCarrier[] = [
  { carrier: 'AWS::S3::BucketPolicy', protects: 'AWS::S3::Bucket', document: 'PolicyDocument', target: 'Bucket' },
  {
    carrier: 'AWS::S3Express::BucketPolicy',
    protects: 'AWS::S3Express::DirectoryBucket',
    document: 'PolicyDocument',
    target: 'Bucket',
  },
  { carrier: 'AWS::KMS::Key', protects: 'AWS::KMS::Key', document: 'KeyPolicy' },
  { carrier: 'AWS::SNS::TopicPolicy', protects: 'AWS::SNS::Topic', document: 'PolicyDocument', target: 'Topics' },
  { carrier: 'AWS::SQS::QueuePolicy', protects: 'AWS::SQS::Queue', document: 'PolicyDocument', target: 'Queues' },
  {
    carrier: 'AWS::SecretsManager::ResourcePolicy',
    protects: 'AWS::SecretsManager::Secret',
    document: 'ResourcePolicy',
    target: 'SecretId',
  },
  { carrier: 'AWS::ECR::Repository', protects: 'AWS::ECR::Repository', document: 'RepositoryPolicyText' },
  { carrier: 'AWS::EC2::VPCEndpoint', protects: 'AWS::EC2::VPCEndpoint', document: 'PolicyDocument' },
];

/** @throws Error when a policy of the templates is not one. */
export function policyInventoryOf(app: SynthesizedApp, functions: IntrinsicFunctions): PolicyInventory {
  return { principals: principalsOf(app, functions), resourcePolicies: resourcePoliciesOf(app, functions) };
}

function principalsOf(app: SynthesizedApp, functions: IntrinsicFunctions): readonly DeploymentPrincipal[] {
  const managed = managedPoliciesOf(app, functions);
  const attached = attachedPoliciesOf(app, functions);
  return resourcesOf(app, 'AWS::IAM::Role', 'AWS::IAM::User').map((located) => {
    const { stack, logicalId, resource } = located;
    const id = `${stack.name}/${logicalId}`;
    const { ref: name, arn } = functions.namesOf(located);
    const properties = functions.resolve(stack, resource.Properties ?? {}) as Readonly<Record<string, unknown>>;
    const arns = asList(properties['ManagedPolicyArns']).map(String);
    const boundaryArn = properties['PermissionsBoundary'];
    return {
      kind: resource.Type === 'AWS::IAM::Role' ? 'role' : 'user',
      id,
      name,
      arn,
      account: functions.placeOf(stack).account,
      description: typeof properties['Description'] === 'string' ? properties['Description'] : undefined,
      trust:
        properties['AssumeRolePolicyDocument'] === undefined
          ? undefined
          : policyDocumentOf(properties['AssumeRolePolicyDocument'], `${id} trust policy`),
      identityPolicies: [
        ...asList(properties['Policies']).map((policy) => inlinePolicy(policy, id)),
        ...(attached.get(name) ?? []),
        ...arns.flatMap((managedArn) => managed.get(managedArn) ?? []),
      ],
      foreignPolicyArns: arns.filter((managedArn) => !managed.has(managedArn)),
      boundary:
        typeof boundaryArn === 'string'
          ? { arn: boundaryArn, document: managed.get(boundaryArn)?.document }
          : undefined,
    };
  });
}

function inlinePolicy(policy: unknown, id: string): NamedPolicy {
  if (!isObject(policy)) throw new Error(`${id}: ${JSON.stringify(policy)} is no inline policy`);
  const name = String(policy['PolicyName']);
  return { name, document: policyDocumentOf(policy['PolicyDocument'], `${id} ${name}`) };
}

/** Managed policies of the deployment by ARN. */
function managedPoliciesOf(app: SynthesizedApp, functions: IntrinsicFunctions): ReadonlyMap<string, NamedPolicy> {
  return new Map(
    resourcesOf(app, 'AWS::IAM::ManagedPolicy').map((located) => {
      const { stack, logicalId, resource } = located;
      const document = functions.resolve(stack, resource.Properties?.['PolicyDocument']);
      const name = `${stack.name}/${logicalId}`;
      return [functions.namesOf(located).arn, { name, document: policyDocumentOf(document, name) }];
    }),
  );
}

/** Policies by the name of the role or user that they name as theirs. */
function attachedPoliciesOf(
  app: SynthesizedApp,
  functions: IntrinsicFunctions,
): ReadonlyMap<string, readonly NamedPolicy[]> {
  const attached = new Map<string, NamedPolicy[]>();
  const types = ['AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy', 'AWS::IAM::RolePolicy', 'AWS::IAM::UserPolicy'];
  for (const { stack, logicalId, resource } of resourcesOf(app, ...types)) {
    const properties = functions.resolve(stack, resource.Properties ?? {}) as Readonly<Record<string, unknown>>;
    const name = `${stack.name}/${logicalId}`;
    const holders = ['Roles', 'Users', 'RoleName', 'UserName'].flatMap((member) =>
      asList(properties[member]).map(String),
    );
    for (const holder of holders) {
      const policies = attached.get(holder) ?? [];
      policies.push({ name, document: policyDocumentOf(properties['PolicyDocument'], name) });
      attached.set(holder, policies);
    }
  }
  return attached;
}

function resourcePoliciesOf(app: SynthesizedApp, functions: IntrinsicFunctions): readonly ResourcePolicy[] {
  return carriers.flatMap(({ carrier, protects, document, target }) =>
    resourcesOf(app, carrier).flatMap((located) => {
      const { stack, logicalId, resource } = located;
      const stated = resource.Properties?.[document];
      if (stated === undefined) return [];
      const id = `${stack.name}/${logicalId}`;
      const resolved = policyDocumentOf(functions.resolve(stack, stated), id);
      const { account } = functions.placeOf(stack);
      const arns =
        target === undefined
          ? [functions.namesOf(located).arn]
          : asList(functions.resolve(stack, resource.Properties?.[target])).map((ref) =>
              arnOfReferred(app, functions, protects, String(ref)),
            );
      return arns.map((resourceArn) => ({ id, type: protects, resourceArn, account, document: resolved }));
    }),
  );
}

/** The ARN of the resource that a reference names, which may be a name, a URL or already the ARN. */
function arnOfReferred(app: SynthesizedApp, functions: IntrinsicFunctions, type: string, reference: string): string {
  if (reference.startsWith('arn:')) return reference;
  for (const located of resourcesOf(app, type)) {
    const names = functions.namesOf(located);
    if (names.ref === reference) return names.arn;
  }
  return type === 'AWS::S3::Bucket' ? `arn:aws:s3:::${reference}` : reference;
}
