import type { ResolvedConfiguration } from '../config/deployment-configuration.js';
import type { SynthesizedStack } from '../stacks/synthesize.js';
import { accountGuard } from './account-guard.js';

/** The file of a stack's template beside the script. */
export function templateFile({ kind }: SynthesizedStack): string {
  return `${kind}.template.json`;
}

/**
 * A shell script that deploys the templates beside it in their order, with the AWS CLI alone. It refuses any other account, and says
 * of a template that is too large for a request that it needs a bucket.
 */
export function deployScript(configuration: ResolvedConfiguration, stacks: readonly SynthesizedStack[]): string {
  const { account, region, name, tags, removalProtection } = configuration;
  const tagArguments = Object.entries({ ...tags, 'turso-byoc:deployment': name }).map(([key, value]) =>
    quoted(`${key}=${value}`),
  );
  return [
    '#!/bin/sh',
    `# Deploys Turso BYOC ${name} into account ${account}, ${region}, without the CDK: ./deploy.sh [--s3-bucket <bucket>]`,
    ...accountGuard(configuration),
    'cd "$(dirname "$0")"',
    'deploy() {',
    '  stack=$1 template=$2',
    '  shift 2',
    '  if [ "$(wc -c <"$template")" -gt 51200 ] && [ $# -eq 0 ]; then',
    '    echo "$template is above 51200 bytes: give --s3-bucket, a bucket of yours in this region" >&2',
    '    exit 1',
    '  fi',
    '  aws cloudformation deploy --stack-name "$stack" --template-file "$template" \\',
    `    --capabilities CAPABILITY_NAMED_IAM --no-fail-on-empty-changeset --tags ${tagArguments.join(' ')} "$@"`,
    ...(removalProtection
      ? ['  aws cloudformation update-termination-protection --stack-name "$stack" --enable-termination-protection']
      : []),
    '}',
    ...stacks.map((stack) => `deploy ${stack.stackName} ${templateFile(stack)} "$@"`),
    '',
  ].join('\n');
}

/** A text as one word of the shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
