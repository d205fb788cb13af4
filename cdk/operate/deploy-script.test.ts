import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withDefaults } from '../config/defaults.js';
import { deployment } from '../examples/dev.js';
import type { SynthesizedStack } from '../stacks/synthesize.js';
import { runWithFakeAws } from '../test/support/fake-aws.js';
import { deployScript, templateFile } from './deploy-script.js';

const stack = (kind: SynthesizedStack['kind'], size = 10): SynthesizedStack => ({
  kind,
  stackName: `turso-byoc-dev-${kind}`,
  terminationProtection: false,
  template: { Resources: {}, Outputs: { Filler: 'x'.repeat(size) } },
});

describe('the script that deploys without the CDK', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'deploy-script-'))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const run = (account: string, stacks: readonly SynthesizedStack[], args: readonly string[], change: object = {}) => {
    for (const one of stacks) writeFileSync(join(directory, templateFile(one)), JSON.stringify(one.template));
    return runWithFakeAws(directory, deployScript(withDefaults({ ...deployment, ...change }), stacks), args, account);
  };

  it('is a script that a shell can read, whatever the tags are', () => {
    const script = join(directory, 'deploy.sh');
    writeFileSync(script, deployScript(withDefaults({ ...deployment, tags: { owner: `O'Hara "x" $(y)` } }), []));
    expect(() => execFileSync('sh', ['-n', script])).not.toThrow();
  });

  it('deploys the stacks in their order, and protects them where the configuration says so', () => {
    const stacks = [stack('foundation'), stack('network')];
    const { status, calls } = run('111122223333', stacks, [], { removalProtection: true });
    expect(status).toBe(0);
    expect(calls.map((call) => call.split(' ').slice(0, 4).join(' '))).toEqual([
      'sts get-caller-identity --query Account',
      'cloudformation deploy --stack-name turso-byoc-dev-foundation',
      'cloudformation update-termination-protection --stack-name turso-byoc-dev-foundation',
      'cloudformation deploy --stack-name turso-byoc-dev-network',
      'cloudformation update-termination-protection --stack-name turso-byoc-dev-network',
    ]);
    expect(calls[1]).toContain('--tags environment=dev turso-byoc:deployment=dev');
  });

  it('refuses another account and deploys nothing', () => {
    const { status, stderr, calls } = run('999988887777', [stack('foundation')], []);
    expect(status).toBe(1);
    expect(stderr).toContain('these credentials are of account 999988887777; this deployment belongs to 111122223333');
    expect(calls).toHaveLength(1);
  });

  it('asks for a bucket for a template that no request can hold', () => {
    const large = [stack('foundation', 60_000)];
    expect(run('111122223333', large, [])).toMatchObject({ status: 1, stderr: expect.stringContaining('--s3-bucket') });
    const { status, calls } = run('111122223333', large, ['--s3-bucket', 'mine']);
    expect(status).toBe(0);
    expect(calls[1]).toMatch(/--s3-bucket mine$/);
  });
});
