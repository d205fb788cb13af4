import type { IntrinsicFunctions } from '../assembly/intrinsic-functions.js';
import { resourcesOf, type LocatedResource, type SynthesizedApp } from '../assembly/synthesized-app.js';
import type { PolicyDocument, Statement } from './policy-document.js';
import { installActions } from './install-actions.js';

/** IAM takes no managed policy with more characters; white space is not counted. */
export const managedPolicySize = 6144;

/**
 * The rights that CloudFormation needs for what was synthesized, and no others: actions follow from the types in the templates,
 * resources from their names. Roles can be created only under the permissions boundary of the deployment, which cannot be taken
 * away, and passed only to the services that their trust policies name. The rights reach no object of a bucket, and decrypt
 * nothing.
 *
 * @returns documents that are small enough for a managed policy each.
 * @throws Error when a type of the templates is not in the table of install actions.
 */
export function installPolicies(app: SynthesizedApp, functions: IntrinsicFunctions): readonly PolicyDocument[] {
  return divided([...roleStatements(app, functions), ...typeStatements(app, functions)]);
}

/** Actions that the install policies allow, sorted: what the preflight asks about. */
export function installActionsOf(policies: readonly PolicyDocument[]): readonly string[] {
  return [...new Set(policies.flatMap(({ Statement }) => Statement.flatMap(({ Action }) => Action ?? [])))].sort();
}

function actionsFor({ resource }: LocatedResource) {
  const known = installActions[resource.Type];
  if (!known)
    throw new Error(`what CloudFormation calls for ${resource.Type} is not known: add it to install-actions.ts`);
  return known;
}

function typeStatements(app: SynthesizedApp, functions: IntrinsicFunctions): readonly Statement[] {
  const own = new Map<string, { actions: Set<string>; resources: Set<string> }>();
  const drawn = new Map<string, Set<string>>();
  for (const located of resourcesOf(app)) {
    if (located.resource.Type.startsWith('AWS::CDK::') || located.resource.Type === 'AWS::IAM::Role') continue;
    const { actions, naming } = actionsFor(located);
    const service = actions[0]?.split(':')[0] ?? '';
    if (naming === 'own') {
      const entry = own.get(service) ?? { actions: new Set(), resources: new Set() };
      actions.forEach((action) => entry.actions.add(action));
      targetsOf(located, app, functions).forEach((arn) => entry.resources.add(arn));
      own.set(service, entry);
    } else {
      const entry = drawn.get(service) ?? new Set();
      actions.forEach((action) => entry.add(action));
      drawn.set(service, entry);
    }
  }
  const regions = [...new Set(app.stacks.map((stack) => functions.placeOf(stack).region))];
  return [
    ...[...own].map(([service, { actions, resources }]): Statement => ({
      Sid: sid(service, 'Named'),
      Effect: 'Allow',
      Action: [...actions].sort(),
      Resource: [...resources].sort(),
    })),
    ...[...drawn].map(([service, actions]): Statement => ({
      Sid: sid(service, 'Region'),
      Effect: 'Allow',
      Action: [...actions].sort(),
      Resource: ['*'],
      // Route 53 and IAM are global: their requests are of us-east-1, wherever the deployment is.
      ...(service !== 'route53' &&
        service !== 'iam' && { Condition: { StringEquals: { 'aws:RequestedRegion': regions } } }),
    })),
  ];
}

/** What carries a policy is changed by a call about what the policy protects. */
function targetsOf(located: LocatedResource, app: SynthesizedApp, functions: IntrinsicFunctions): readonly string[] {
  const { stack, resource } = located;
  const owner: Readonly<Record<string, readonly [property: string, type: string]>> = {
    'AWS::S3::BucketPolicy': ['Bucket', 'AWS::S3::Bucket'],
    'AWS::S3Express::BucketPolicy': ['Bucket', 'AWS::S3Express::DirectoryBucket'],
    'AWS::SNS::Subscription': ['TopicArn', 'AWS::SNS::Topic'],
    'AWS::SNS::TopicPolicy': ['Topics', 'AWS::SNS::Topic'],
    'AWS::SQS::QueuePolicy': ['Queues', 'AWS::SQS::Queue'],
    'AWS::IAM::Policy': ['Roles', 'AWS::IAM::Role'],
    'AWS::Logs::MetricFilter': ['LogGroupName', 'AWS::Logs::LogGroup'],
    'AWS::ECS::ClusterCapacityProviderAssociations': ['Cluster', 'AWS::ECS::Cluster'],
    'AWS::SecretsManager::ResourcePolicy': ['SecretId', 'AWS::SecretsManager::Secret'],
    'AWS::SecretsManager::RotationSchedule': ['SecretId', 'AWS::SecretsManager::Secret'],
  };
  const [property, type] = owner[resource.Type] ?? [];
  if (property === undefined || type === undefined)
    return [withUnknownEnd(functions.namesOf(located).arn, resource.Type)];
  const value = functions.resolve(stack, resource.Properties?.[property]);
  const references = (Array.isArray(value) ? value : [value]).map(String);
  const owners = resourcesOf(app, type).filter((candidate) => {
    const { ref, arn } = functions.namesOf(candidate);
    return references.includes(ref) || references.includes(arn);
  });
  return owners.length > 0
    ? owners.map((candidate) => withUnknownEnd(functions.namesOf(candidate).arn, type))
    : references.filter((reference) => reference.startsWith('arn:'));
}

/** Secrets get six characters, services of ECS stand below their cluster. */
function withUnknownEnd(arn: string, type: string): string {
  if (type === 'AWS::SecretsManager::Secret') return arn.replace(/-[A-Za-z0-9]{6}$/, '-??????');
  if (type === 'AWS::ECS::Service') return arn.replace(/service\/.*/, 'service/*');
  return arn;
}

function roleStatements(app: SynthesizedApp, functions: IntrinsicFunctions): readonly Statement[] {
  const roles = resourcesOf(app, 'AWS::IAM::Role').map((located) => ({
    arn: functions.namesOf(located).arn,
    properties: functions.resolve(located.stack, located.resource.Properties ?? {}) as Readonly<
      Record<string, unknown>
    >,
    actions: actionsFor(located).actions,
  }));
  if (roles.length === 0) return [];
  const arns = roles.map(({ arn }) => arn).sort();
  const boundaries = [...new Set(roles.flatMap(({ properties }) => boundaryOf(properties)))];
  const needsBoundary = new Set([
    'iam:CreateRole',
    'iam:PutRolePolicy',
    'iam:AttachRolePolicy',
    'iam:PutRolePermissionsBoundary',
  ]);
  const actions = roles[0]?.actions ?? [];
  const services = [
    ...new Set(roles.flatMap(({ properties }) => trustedServices(properties['AssumeRolePolicyDocument']))),
  ].sort();
  return [
    {
      Sid: 'RolesUnderTheBoundary',
      Effect: 'Allow',
      Action: actions.filter((action) => needsBoundary.has(action)).sort(),
      Resource: arns,
      Condition: { StringEquals: { 'iam:PermissionsBoundary': boundaries } },
    },
    {
      Sid: 'Roles',
      Effect: 'Allow',
      Action: actions.filter((action) => !needsBoundary.has(action)).sort(),
      Resource: arns,
    },
    ...(services.length > 0
      ? [
          {
            Sid: 'PassRolesToTheirServices',
            Effect: 'Allow' as const,
            Action: ['iam:PassRole'],
            Resource: arns,
            Condition: { StringEquals: { 'iam:PassedToService': services } },
          },
        ]
      : []),
  ];
}

function boundaryOf(properties: Readonly<Record<string, unknown>>): readonly string[] {
  return typeof properties['PermissionsBoundary'] === 'string' ? [properties['PermissionsBoundary']] : [];
}

function trustedServices(document: unknown): readonly string[] {
  return [...JSON.stringify(document ?? {}).matchAll(/"([a-z0-9.-]+\.amazonaws\.com(?:\.cn)?)"/g)].flatMap(
    ([, name]) => (name === undefined ? [] : [name]),
  );
}

function sid(service: string, suffix: string): string {
  return `${service.replace(/[^a-z0-9]/g, '')}${suffix}`;
}

/** As few documents as the size of a managed policy allows; a statement that is too long alone is split by its actions. */
function divided(statements: readonly Statement[]): readonly PolicyDocument[] {
  const document = (parts: readonly Statement[]): PolicyDocument => ({ Version: '2012-10-17', Statement: parts });
  const size = (parts: readonly Statement[]) => JSON.stringify(document(parts)).length;
  const small = statements.flatMap((statement) => splitToSize(statement, (part) => size([part]) <= managedPolicySize));
  const documents: Statement[][] = [[]];
  for (const statement of small) {
    const last = documents[documents.length - 1];
    if (last && size([...last, statement]) <= managedPolicySize) last.push(statement);
    else documents.push([statement]);
  }
  return documents.filter((parts) => parts.length > 0).map(document);
}

function splitToSize(statement: Statement, fits: (statement: Statement) => boolean, part = 1): readonly Statement[] {
  if (fits(statement)) return [statement];
  const member = (statement.Resource?.length ?? 0) > (statement.Action?.length ?? 0) ? 'Resource' : 'Action';
  const values = statement[member] ?? [];
  if (values.length < 2) throw new Error(`${statement.Sid ?? 'a statement'} does not fit into a managed policy`);
  const half = Math.ceil(values.length / 2);
  return [values.slice(0, half), values.slice(half)].flatMap((some, index) =>
    splitToSize({ ...statement, Sid: `${statement.Sid ?? ''}${part}${index}`, [member]: some }, fits, part + 1),
  );
}
