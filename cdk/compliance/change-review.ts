/**
 * What changes between two configurations of a deployment, for somebody who has to approve it: rights first, then the network, then
 * how long data is kept and whether it can be lost, then everything else.
 */
import { isDeepStrictEqual } from 'node:util';
import type { SynthesizedStack, TemplateResource } from '../stacks/synthesize.js';

export const topics = ['rights', 'network', 'retention', 'other'] as const;
export type Topic = (typeof topics)[number];

/** One resource that is added, removed, or changed. */
export interface Change {
  readonly topic: Topic;
  readonly kind: 'added' | 'removed' | 'changed';
  /** `<stack>/<logical id>`. */
  readonly where: string;
  readonly type: string;
  /** What changes in it, one line for each property; empty for what is added or removed. */
  readonly details: readonly string[];
  /** Whether data, or the way to it, can be lost. */
  readonly endangersData: boolean;
}

/** All changes, topic by topic. */
export function reviewChanges(
  before: readonly SynthesizedStack[],
  after: readonly SynthesizedStack[],
): readonly Change[] {
  const [old, current] = [resourcesOf(before), resourcesOf(after)];
  const changes = [...new Set([...old.keys(), ...current.keys()])].flatMap((where) =>
    changeOf(where, old.get(where), current.get(where)),
  );
  return topics.flatMap((topic) => changes.filter((change) => change.topic === topic));
}

/** The review as text. */
export function changeReviewText(changes: readonly Change[]): string {
  if (changes.length === 0) return 'nothing changes\n';
  const endangering = changes.filter(({ endangersData }) => endangersData);
  const warning =
    endangering.length === 0
      ? []
      : ['DATA CAN BE LOST:', ...endangering.map(({ kind, where, type }) => `  ${kind} ${where} (${type})`), ''];
  const sections = topics.flatMap((topic) => {
    const own = changes.filter((change) => change.topic === topic);
    if (own.length === 0) return [`${titles[topic]}: nothing`, ''];
    return [
      `${titles[topic]}: ${own.length}`,
      ...own.flatMap(({ kind, where, type, details }) => [
        `  ${kind} ${where} (${type})`,
        ...details.map((detail) => `    ${detail}`),
      ]),
      '',
    ];
  });
  return [...warning, ...sections].join('\n');
}

const titles: Readonly<Record<Topic, string>> = {
  rights: 'Rights (IAM, policies of keys, buckets, endpoints)',
  network: 'Network',
  retention: 'Retention of data, logs and keys',
  other: 'Everything else',
};

const statefulTypes = new Set([
  'AWS::KMS::Key',
  'AWS::Logs::LogGroup',
  'AWS::S3::Bucket',
  'AWS::S3Express::DirectoryBucket',
  'AWS::SecretsManager::Secret',
]);

/** Properties that say how long something is kept, wherever they stand. */
const retentionProperties =
  /^(DeletionPolicy|UpdateReplacePolicy|RetentionInDays|LifecycleConfiguration|ObjectLock.*|VersioningConfiguration|PendingWindowInDays|EnableKeyRotation|RotationPeriodInDays)$/;

/** Variables of a container that say how long data is kept. */
const retentionVariables = /TURSO_BYOC_(HISTORY_DAYS|UNDELETE_DAYS)/;

function resourcesOf(stacks: readonly SynthesizedStack[]): ReadonlyMap<string, TemplateResource> {
  return new Map(
    stacks.flatMap(({ kind, template }) =>
      Object.entries(template.Resources)
        .filter(([, { Type }]) => Type !== 'AWS::CDK::Metadata')
        .map(([id, resource]) => [`${kind}/${id}`, resource] as const),
    ),
  );
}

function changeOf(where: string, before?: TemplateResource, after?: TemplateResource): readonly Change[] {
  const resource = after ?? before;
  if (resource === undefined || isDeepStrictEqual(before, after)) return [];
  const type = resource.Type;
  const details = before === undefined || after === undefined ? [] : differences(before, after);
  const topic = topicOf(type, details);
  if (before === undefined) return [{ topic, kind: 'added', where, type, details, endangersData: false }];
  if (after === undefined) {
    const endangersData = statefulTypes.has(type) && before.DeletionPolicy !== 'Retain';
    return [{ topic, kind: 'removed', where, type, details, endangersData }];
  }
  const endangersData =
    statefulTypes.has(type) && details.some((detail) => /^(DeletionPolicy|UpdateReplacePolicy)/.test(detail));
  return [{ topic, kind: 'changed', where, type, details, endangersData }];
}

function topicOf(type: string, details: readonly string[]): Topic {
  if (/^AWS::IAM::|Policy$|::EndpointServicePermissions|::AccessEntry|PodIdentity|ServicePermissions$/.test(type))
    return 'rights';
  if (
    details.some(
      (detail) => /(Policy|PolicyDocument)[.[ ]/.test(detail) && !/^(Deletion|UpdateReplace)Policy/.test(detail),
    )
  ) {
    return 'rights';
  }
  if (
    details.some(
      (detail) => retentionProperties.test(detail.split(/[ .[]/)[0] ?? '') || retentionVariables.test(detail),
    )
  ) {
    return 'retention';
  }
  if (/^AWS::(EC2|ElasticLoadBalancingV2|NetworkFirewall|WAFv2|Route53|ServiceDiscovery)::/.test(type))
    return 'network';
  if (statefulTypes.has(type)) return 'retention';
  return 'other';
}

/** One line for each leaf that differs: its path, before and after. */
function differences(before: TemplateResource, after: TemplateResource): readonly string[] {
  const flat = ({ Properties, DeletionPolicy, UpdateReplacePolicy }: TemplateResource): ReadonlyMap<string, string> =>
    new Map(leaves({ ...Properties, DeletionPolicy, UpdateReplacePolicy }, ''));
  const [old, current] = [flat(before), flat(after)];
  return [...new Set([...old.keys(), ...current.keys()])]
    .filter((path) => old.get(path) !== current.get(path))
    .map((path) => `${path}: ${old.get(path) ?? '(not set)'} → ${current.get(path) ?? '(not set)'}`);
}

function leaves(value: unknown, path: string): readonly (readonly [string, string])[] {
  if (value === undefined) return [];
  if (isNamed(value)) return value.flatMap((entry) => leaves(entry.Value, `${path}.${entry.Name}`));
  if (Array.isArray(value)) {
    return value.flatMap((inner: unknown, index) => leaves(inner, `${path}[${sidOf(inner) ?? index}]`));
  }
  if (typeof value === 'object' && value !== null && !isIntrinsic(value)) {
    return Object.entries(value).flatMap(([name, inner]) => leaves(inner, path === '' ? name : `${path}.${name}`));
  }
  return [[path, typeof value === 'string' ? value : JSON.stringify(value)]];
}

/** A list of names and values, such as a container's environment: compared by name, not by place. */
function isNamed(value: unknown): value is readonly { readonly Name: string; readonly Value: unknown }[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((entry) => typeof entry === 'object' && entry !== null && 'Name' in entry && 'Value' in entry)
  );
}

/** Statements of a policy are compared by their id. */
function sidOf(value: unknown): string | undefined {
  const sid = typeof value === 'object' && value !== null ? (value as { readonly Sid?: unknown }).Sid : undefined;
  return typeof sid === 'string' ? sid : undefined;
}

function isIntrinsic(value: object): boolean {
  const [name, ...others] = Object.keys(value);
  return others.length === 0 && name !== undefined && (name === 'Ref' || name.startsWith('Fn::'));
}
