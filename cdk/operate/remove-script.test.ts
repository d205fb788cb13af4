import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withDefaults } from '../config/defaults.js';
import { deployment } from '../examples/production.js';
import type { SynthesizedStack } from '../stacks/synthesize.js';
import { runWithFakeAws, type ScriptRun } from '../test/support/fake-aws.js';
import { removeScript } from './remove-script.js';

const stacks = (['foundation', 'network', 'data-plane'] as const).map((kind): SynthesizedStack => ({
  kind,
  stackName: `turso-byoc-production-${kind}`,
  terminationProtection: true,
  template: { Resources: {} },
}));
const data = 'production-turso-data-111122223333-us-east-1';

describe('the script that removes a deployment', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'remove-script-'))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));
  const run = (args: readonly string[], account = '111122223333', answers = ''): ScriptRun =>
    runWithFakeAws(directory, removeScript(withDefaults(deployment), stacks), args, account, answers);
  const deleted = ({ calls }: ScriptRun): string[] =>
    calls.filter((call) => /delete/.test(call)).map((call) => call.split(' ').slice(0, 4).join(' '));

  it('removes compute and network from the last stack on, and leaves what holds data', () => {
    const result = run([]);
    expect(result.status).toBe(0);
    expect(deleted(result).filter((call) => call.startsWith('cloudformation delete-stack'))).toEqual([
      'cloudformation delete-stack --stack-name turso-byoc-production-data-plane',
      'cloudformation delete-stack --stack-name turso-byoc-production-network',
    ]);
    expect(result.calls.join('\n')).not.toMatch(/foundation|s3|kms|secretsmanager/);
    expect(result.stdout).toContain(`the data is still there, in ${data}`);
  });

  it('refuses another account before anything else', () => {
    const result = run(['--delete-data', '--deployment', 'production'], '999988887777');
    expect(result).toMatchObject({ status: 1, calls: ['sts get-caller-identity --query Account --output text'] });
    expect(result.stderr).toContain('this deployment belongs to 111122223333');
  });

  it.each([
    [['--delete-data']],
    [['--deployment', 'production']],
    [['--delete-data', '--deployment', 'prod']],
    [['--all']],
  ])('removes nothing when it is asked by %p only', (args) => {
    const result = run(args);
    expect(result.status).toBe(64);
    expect(deleted(result)).toEqual([]);
  });

  /** A bucket with one object at the first look, keys in use. */
  const full = `"s3api list-object-versions") [ -e "$DIRECTORY/seen-$4" ] || echo '{"Objects": [{"Key": "k", "VersionId": "v"}]}'; touch "$DIRECTORY/seen-$4";;
"secretsmanager describe-secret") echo None;;
"kms describe-key") printf 'key-of-%s\\tEnabled\\n' "$4";;`;
  const all = ['--delete-data', '--deployment', 'production'];

  it('deletes every version of every object, buckets, secrets and keys when it is asked twice; not the audit trail', () => {
    const result = run(all, '111122223333', full);
    expect(result.stderr).toBe('');
    expect(result.status).toBe(0);
    const calls = result.calls.join('\n');
    expect(calls).toContain(
      `s3api delete-objects --bucket ${data} --delete {"Objects": [{"Key": "k", "VersionId": "v"}]}`,
    );
    expect(calls).toContain(`s3api delete-bucket --bucket ${data}`);
    expect(calls.match(/s3 rm s3:\/\/production-turso-log-111122223333--use1-az\d--x-s3 --recursive/g)).toHaveLength(3);
    expect(calls).toContain(
      'kms schedule-key-deletion --key-id key-of-alias/turso-byoc/production/databases --pending-window-in-days 30',
    );
    expect(calls).not.toMatch(/-turso-audit-|key-of-alias\/turso-byoc\/production\/audit/);
  });

  it('takes the policy of a bucket away before its objects, and the foundation, with the names of keys, last', () => {
    const { calls } = run(all, '111122223333', full);
    const at = (call: string): number => calls.findIndex((each) => each.startsWith(call));
    for (const bucket of [data, 'production-turso-log-111122223333--use1-az4--x-s3']) {
      expect(at(`s3api delete-bucket-policy --bucket ${bucket}`)).toBeGreaterThan(
        at('cloudformation delete-stack --stack-name turso-byoc-production-network'),
      );
      expect(at(`s3api delete-bucket --bucket ${bucket}`)).toBeGreaterThan(
        at(`s3api delete-bucket-policy --bucket ${bucket}`),
      );
    }
    const foundation = at('cloudformation delete-stack --stack-name turso-byoc-production-foundation');
    expect(foundation).toBeGreaterThan(calls.findLastIndex((call) => /^(s3|s3api|kms|secretsmanager) /.test(call)));
  });

  it.each([
    ['a stack that cannot be looked at', '"cloudformation describe-stacks") echo "AccessDenied: no" >&2; exit 254;;'],
    ['a bucket whose policy stays', '"s3api delete-bucket-policy") echo "AccessDenied: no" >&2; exit 254;;'],
    [
      'an object that is not deleted',
      '"s3api list-object-versions") echo \'{"Objects": [{"Key": "k", "VersionId": "v"}]}\';;\n"s3api delete-objects") echo "AccessDenied: no";;',
    ],
    ['a key that cannot be looked at', '"kms describe-key") echo "AccessDenied: no" >&2; exit 254;;'],
  ])('ends at %s, and says why', (_what, answers) => {
    const result = run(all, '111122223333', answers);
    expect(result.status).not.toBe(0);
    expect(result.stderr).toContain('AccessDenied: no');
    expect(result.calls.at(-1)).toMatch(/describe-stacks|delete-bucket-policy|delete-objects|describe-key/);
  });

  it('lets instances end that ECS keeps from being scaled in, for as long as a stack is being deleted', () => {
    // Being deleted at the first two looks at its status; instances in one of the groups.
    const answers = `"cloudformation describe-stacks") case "$*" in *StackStatus*)
  echo look >>"$DIRECTORY/looks-$4"
  [ "$(wc -l <"$DIRECTORY/looks-$4")" -gt 2 ] && { echo "Stack with id $4 does not exist" >&2; exit 254; }
  echo DELETE_IN_PROGRESS;;
esac;;
"autoscaling describe-auto-scaling-groups") case $4 in *-us-east-1a) printf 'i-1\\ti-2\\n';; esac;;`;
    const sleep = join(directory, 'sleep');
    writeFileSync(sleep, '#!/bin/sh\necho "sleep $1" >>"$CALLS"\n');
    chmodSync(sleep, 0o755);
    const result = run([], '111122223333', answers);
    expect([result.status, result.stderr]).toEqual([0, '']);
    const ofStack = result.calls.slice(
      result.calls.indexOf('cloudformation delete-stack --stack-name turso-byoc-production-data-plane') + 1,
      result.calls.indexOf('cloudformation wait stack-delete-complete --stack-name turso-byoc-production-data-plane'),
    );
    const released = ofStack.filter((call) => call.includes('--no-protected-from-scale-in'));
    expect(released).toEqual([expect.stringMatching(/ --instance-ids i-1 i-2$/), expect.stringMatching(/ i-1 i-2$/)]);
    expect(ofStack.filter((call) => call === 'sleep 15')).toHaveLength(2);
  });

  it('passes over what is gone already', () => {
    const gone = `"cloudformation describe-stacks") echo "Stack with id $4 does not exist" >&2; exit 254;;
"s3api delete-bucket-policy") echo "An error occurred (NoSuchBucket)" >&2; exit 254;;
"secretsmanager describe-secret") echo "An error occurred (ResourceNotFoundException)" >&2; exit 254;;
"kms describe-key") echo "An error occurred (NotFoundException)" >&2; exit 254;;`;
    const result = run(all, '111122223333', gone);
    expect([result.status, result.stderr]).toEqual([0, '']);
    expect(deleted(result).filter((call) => !call.startsWith('s3api delete-bucket-policy'))).toEqual([]);
  });
});
