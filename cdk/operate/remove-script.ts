import type { ResolvedConfiguration } from '../config/deployment-configuration.js';
import { bucketKinds, DeploymentNames } from '../config/deployment-names.js';
import { placements } from '../config/placements.js';
import type { SynthesizedStack } from '../stacks/synthesize.js';
import { accountGuard } from './account-guard.js';

/**
 * A shell script that removes a deployment with the AWS CLI alone, in the reverse of the order in which it was deployed. What holds
 * data stays: keys, buckets, secrets, logs. Only who asks twice, by two arguments of which one repeats the deployment's name, loses it.
 * It can be run again wherever it stopped: what is gone already is passed over, every other refusal ends it.
 */
export function removeScript(configuration: ResolvedConfiguration, stacks: readonly SynthesizedStack[]): string {
  const { name, account, region } = configuration;
  const names = new DeploymentNames(configuration);
  const goes = stacks.filter(({ kind }) => kind !== 'foundation').reverse();
  const foundation = stacks.filter(({ kind }) => kind === 'foundation');
  const remove = ({ stackName }: SynthesizedStack): string => `remove ${stackName}`;
  return [
    '#!/bin/sh',
    `# Removes Turso BYOC ${name} from account ${account}, ${region}; the data stays.`,
    `#   ./remove.sh                                      compute, network, alarms`,
    `#   ./remove.sh --delete-data --deployment ${name}   and, for ever, all data, logs and keys but the audit trail`,
    ...accountGuard(configuration),
    ...askedTwice(name),
    ...functions(configuration),
    ...goes.map(remove),
    'if [ "$delete_data" != yes ]; then',
    `  echo "removed; the data is still there, in ${names.bucket('data')} and others"`,
    '  exit 0',
    'fi',
    ...dataGoes(configuration, names),
    ...foundation.map(remove),
    `echo "removed; keys can be brought back for ${configuration.keys.deletionWindowDays} days, the audit trail stays in ${names.bucket('audit')}"`,
    '',
  ].join('\n');
}

/** Auto Scaling groups of container instances. */
function instanceGroups(configuration: ResolvedConfiguration): readonly string[] {
  if (configuration.compute.kind !== 'ecs-ec2') return [];
  const names = new DeploymentNames(configuration);
  return placements(configuration).map(({ name }) => `${names.prefix}-${name}`);
}

const releaseInstances = [
  '# ECS keeps instances from being scaled in, and leaves that behind: nothing would ever end them.',
  'release() {',
  '  instances=$(aws autoscaling describe-auto-scaling-groups --auto-scaling-group-names "$1" \\',
  "    --query 'AutoScalingGroups[].Instances[?ProtectedFromScaleIn].InstanceId[]' --output text)",
  '  echo "$instances" | tr "\\t" "\\n" | grep . | xargs -r -n 50 \\',
  '    aws autoscaling set-instance-protection --no-protected-from-scale-in --auto-scaling-group-name "$1" --instance-ids || true',
  '}',
];

function askedTwice(name: string): readonly string[] {
  return [
    'delete_data=no confirmed=no',
    'while [ $# -gt 0 ]; do',
    '  case $1 in',
    '    --delete-data) delete_data=yes ;;',
    `    --deployment) [ "\${2:-}" = ${name} ] && confirmed=yes; shift ;;`,
    '    *) echo "unknown argument $1" >&2; exit 64 ;;',
    '  esac',
    '  shift',
    'done',
    'if [ "$delete_data" != "$confirmed" ]; then',
    `  echo "to delete all data say both --delete-data and --deployment ${name}; nothing was removed" >&2`,
    '  exit 64',
    'fi',
  ];
}

function functions(configuration: ResolvedConfiguration): readonly string[] {
  const { keys } = configuration;
  const groups = instanceGroups(configuration);
  return [
    ...(groups.length === 0 ? [] : releaseInstances),
    '# Ends the script with what a call said, unless it said that there is nothing to be removed: missing <words> <said>.',
    'missing() {',
    '  case $2 in *"$1"*) return 0 ;; esac',
    '  echo "$2" >&2',
    '  exit 1',
    '}',
    'remove() {',
    '  if ! said=$(aws cloudformation describe-stacks --stack-name "$1" 2>&1); then',
    '    missing "does not exist" "$said"',
    '    return 0',
    '  fi',
    '  aws cloudformation update-termination-protection --stack-name "$1" --no-enable-termination-protection >/dev/null',
    '  aws cloudformation delete-stack --stack-name "$1"',
    ...(groups.length === 0
      ? ['  aws cloudformation wait stack-delete-complete --stack-name "$1"']
      : [
          '  while aws cloudformation describe-stacks --stack-name "$1" --query "Stacks[0].StackStatus" --output text 2>/dev/null |',
          '    grep -q DELETE_IN_PROGRESS; do',
          `    for group in ${groups.join(' ')}; do release "$group"; done`,
          '    sleep 15',
          '  done',
          '  aws cloudformation wait stack-delete-complete --stack-name "$1"',
        ]),
    '  echo "removed $1"',
    '}',
    '# Takes the policy of a bucket away, which lets nobody but the processes touch its objects; false when there is no bucket.',
    'opened() {',
    '  said=$(aws s3api delete-bucket-policy --bucket "$1" 2>&1) && return 0',
    '  missing NoSuchBucket "$said"',
    '  return 1',
    '}',
    '# Every version and every marker, five hundred at a time.',
    'empty() {',
    '  while :; do',
    '    batch=$(aws s3api list-object-versions --bucket "$1" --max-items 500 --output json \\',
    "      --query '{Objects: [Versions || `[]`, DeleteMarkers || `[]`][].{Key: Key, VersionId: VersionId}, Quiet: `true`}')",
    `    case $batch in *'"Key"'*) ;; *) break ;; esac`,
    `    refused=$(aws s3api delete-objects --bucket "$1" --delete "$batch" --query 'Errors[0].Message' --output text)`,
    '    case $refused in ""|None) ;; *) echo "$1: $refused" >&2; exit 1 ;; esac',
    '  done',
    '}',
    'delete_secret() {',
    '  if ! said=$(aws secretsmanager describe-secret --secret-id "$1" --query DeletedDate --output text 2>&1); then',
    '    missing ResourceNotFoundException "$said"',
    '    return 0',
    '  fi',
    '  [ "$said" = None ] || return 0',
    '  aws secretsmanager delete-secret --secret-id "$1" --recovery-window-in-days 30 >/dev/null',
    '}',
    'delete_key() {',
    '  if ! said=$(aws kms describe-key --key-id "$1" --query \'KeyMetadata.[KeyId,KeyState]\' --output text 2>&1); then',
    '    missing NotFoundException "$said"',
    '    return 0',
    '  fi',
    '  case $said in *PendingDeletion*) return 0 ;; esac',
    `  aws kms schedule-key-deletion --key-id "\${said%%[[:space:]]*}" --pending-window-in-days ${keys.deletionWindowDays} >/dev/null`,
    '}',
  ];
}

const secrets = ['admin-credential', 'signing-key-seed'] as const;
/** Purposes of keys. That of the audit trail stays with it, those of groups are left to whoever named them. */
const keyPurposes = ['databases', 'data', 'log', 'control', 'disks', 'signing'];

/**
 * While the foundation is still there: with it go the keys' aliases, by which they are found. Without removal protection CloudFormation
 * removes what is in it, but no bucket that is not empty.
 */
function dataGoes({ removalProtection }: ResolvedConfiguration, names: DeploymentNames): readonly string[] {
  const zonal = names.directoryBucketZoneIds.map((zoneId) => names.directoryBucket(zoneId));
  // The lock of the audit bucket outlives the deployment, and with it its key. Logs of accesses to the others come until these are gone.
  const regional = bucketKinds
    .filter((kind) => kind !== 'audit' && kind !== 'access' && !(kind === 'log' && zonal.length > 0))
    .map((kind) => names.bucket(kind));
  const access = names.bucket('access');
  const deleted = (bucket: string): string => (removalProtection ? ` aws s3api delete-bucket --bucket ${bucket};` : '');
  return [
    ...regional.map((bucket) => `if opened ${bucket}; then empty ${bucket};${deleted(bucket)} fi`),
    ...zonal.map((bucket) => `if opened ${bucket}; then aws s3 rm s3://${bucket} --recursive;${deleted(bucket)} fi`),
    ...(removalProtection
      ? [
          ...secrets.map((secret) => `delete_secret ${names.secret(secret)}`),
          ...keyPurposes.map((purpose) => `delete_key alias/${names.keyAlias(purpose)}`),
          `if opened ${access}; then`,
          `  empty ${access}`,
          `  aws s3api delete-bucket --bucket ${access} || echo "${access} stays: logs of accesses still come; run this again in a day" >&2`,
          'fi',
        ]
      : [`if opened ${access}; then empty ${access}; fi`]),
  ];
}
