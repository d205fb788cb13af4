import type { ResolvedConfiguration } from '../config/deployment-configuration.js';
import { bucketKinds, DeploymentNames } from '../config/deployment-names.js';
import type { SynthesizedStack } from '../stacks/synthesize.js';
import { accountGuard } from './account-guard.js';

/**
 * A shell script that removes a deployment with the AWS CLI alone, in the reverse of the order in which it was deployed. What holds
 * data stays: keys, buckets, secrets, logs. Only who asks twice, by two arguments of which one repeats the deployment's name, loses it.
 */
export function removeScript(configuration: ResolvedConfiguration, stacks: readonly SynthesizedStack[]): string {
  const { name, account, region } = configuration;
  const names = new DeploymentNames(configuration);
  const goes = stacks.filter(({ kind }) => kind !== 'foundation').reverse();
  const foundation = stacks.find(({ kind }) => kind === 'foundation');
  const aliases = ['databases', 'data', 'log', 'control', 'disks', 'signing'].map((purpose) => names.keyAlias(purpose));
  const zonal = names.directoryBucketZoneIds.map((zoneId) => names.directoryBucket(zoneId));
  const regional = bucketKinds
    // The lock of the audit bucket outlives the deployment, and with it its key.
    .filter((kind) => kind !== 'audit' && !(kind === 'log' && zonal.length > 0))
    .map((kind) => names.bucket(kind));
  return [
    '#!/bin/sh',
    `# Removes Turso BYOC ${name} from account ${account}, ${region}; the data stays.`,
    `#   ./remove.sh                                      compute, network, alarms`,
    `#   ./remove.sh --delete-data --deployment ${name}   and, for ever, all data, logs and keys but the audit trail`,
    ...accountGuard(configuration),
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
    'remove() {',
    '  aws cloudformation update-termination-protection --stack-name "$1" --no-enable-termination-protection',
    '  aws cloudformation delete-stack --stack-name "$1"',
    '  aws cloudformation wait stack-delete-complete --stack-name "$1"',
    '}',
    ...goes.map(({ stackName }) => `remove ${stackName}`),
    'if [ "$delete_data" != yes ]; then',
    `  echo "removed; the data is still there, in ${names.bucket('data')} and others"`,
    '  exit 0',
    'fi',
    ...(foundation === undefined ? [] : [`remove ${foundation.stackName}`]),
    'has() { aws s3api head-bucket --bucket "$1" >/dev/null 2>&1; }',
    '# Every version and every marker, five hundred at a time.',
    'empty() {',
    '  while :; do',
    '    batch=$(aws s3api list-object-versions --bucket "$1" --max-items 500 --output json \\',
    "      --query '{Objects: [Versions || `[]`, DeleteMarkers || `[]`][].{Key: Key, VersionId: VersionId}, Quiet: `true`}')",
    `    case $batch in *'"Key"'*) ;; *) break ;; esac`,
    '    aws s3api delete-objects --bucket "$1" --delete "$batch"',
    '  done',
    '}',
    ...regional.map(
      (bucket) => `if has ${bucket}; then empty ${bucket}; aws s3api delete-bucket --bucket ${bucket}; fi`,
    ),
    ...zonal.map(
      (bucket) =>
        `if has ${bucket}; then aws s3 rm s3://${bucket} --recursive; aws s3api delete-bucket --bucket ${bucket}; fi`,
    ),
    ...['admin-credential', 'signing-key-seed'].map(
      (of) => `aws secretsmanager delete-secret --secret-id ${names.secret(of)} --recovery-window-in-days 30 || true`,
    ),
    ...aliases.map(
      (alias) =>
        `key=$(aws kms describe-key --key-id alias/${alias} --query KeyMetadata.KeyId --output text 2>/dev/null) && aws kms schedule-key-deletion --key-id "$key" --pending-window-in-days ${configuration.keys.deletionWindowDays} || true`,
    ),
    `echo "removed; keys can be brought back for ${configuration.keys.deletionWindowDays} days, the audit trail stays in ${names.bucket('audit')}"`,
    '',
  ].join('\n');
}
