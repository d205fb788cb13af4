import type { ResolvedConfiguration } from '../config/deployment-configuration.js';

/** The beginning of a shell script of a deployment: it ends at once with credentials of any other account. */
export function accountGuard({ account, region }: ResolvedConfiguration): readonly string[] {
  return [
    'set -eu',
    `export AWS_DEFAULT_REGION=${region} AWS_REGION=${region}`,
    'actual=$(aws sts get-caller-identity --query Account --output text)',
    `if [ "$actual" != ${account} ]; then`,
    `  echo "these credentials are of account $actual; this deployment belongs to ${account}" >&2`,
    '  exit 1',
    'fi',
  ];
}
