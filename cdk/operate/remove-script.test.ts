import { mkdtempSync, rmSync } from 'node:fs';
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

  it('deletes every version of every object, buckets, secrets and keys when it is asked twice; not the audit trail', () => {
    // The first look at a bucket finds an object, the second none.
    const answers = `"s3api list-object-versions") [ -e "$DIRECTORY/seen-$4" ] || echo '{"Objects": [{"Key": "k", "VersionId": "v"}]}'; touch "$DIRECTORY/seen-$4";;
"kms describe-key") echo key-of-$4;;`;
    const result = run(['--delete-data', '--deployment', 'production'], '111122223333', answers);
    expect(result.stderr).toBe('');
    expect(result.status).toBe(0);
    const calls = result.calls.join('\n');
    expect(calls).toContain('delete-stack --stack-name turso-byoc-production-foundation');
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
});
