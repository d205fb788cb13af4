/** The commands as people start them: compiled, without credentials. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './synthesized-examples.js';

/** What a command that ends with a failure printed. */
async function failure(
  file: string,
  args: readonly string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  return runCommand(file, args).then(
    ({ stdout }) => {
      throw new Error(`${file} did not fail: ${stdout}`);
    },
    (error: unknown) => error as { code: number; stdout: string; stderr: string },
  );
}

describe('npm run evidence', () => {
  it('writes the pack of a deployment, with no open finding', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'evidence-command-'));
    try {
      const { stdout } = await runCommand('dist/compliance/evidence/evidence-command.js', [
        'dev',
        '--output',
        directory,
      ]);
      expect(stdout).toContain(`open ${directory}/index.html`);
      expect(readdirSync(directory)).toEqual(
        expect.arrayContaining([
          'index.html',
          'evidence.json',
          'sbom-data-plane.cdx.json',
          'sbom-control-plane.cdx.json',
        ]),
      );
      expect(readFileSync(join(directory, 'index.html'), 'utf8')).toContain('No finding is open.');
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it('reads a running deployment only with credentials of its account', async () => {
    const { code, stderr } = await failure('dist/compliance/evidence/evidence-command.js', ['dev', '--running']);
    expect(code).not.toBe(0);
    expect(stderr).toContain('--running needs credentials of account 111122223333');
  });
});

describe('npm run cost', () => {
  it('prints a price, for machines too', async () => {
    const { stdout } = await runCommand('dist/cost/cost-command.js', ['--config', 'dev', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      deployment: 'dev',
      pricesAsOf: '2026-11',
      floorTotal: expect.any(Number),
    });
  });

  it('says where it looked for a deployment that is not there', async () => {
    const { stderr } = await failure('dist/cost/cost-command.js', ['--config', 'nowhere']);
    expect(stderr).toContain('there is neither cdk/deployments/nowhere.ts nor cdk/examples/nowhere.ts');
  });
});

describe('npm run install-policy', () => {
  it('prints documents', async () => {
    const { stdout } = await runCommand('dist/compliance/iam/install-policy-command.js', ['dev']);
    expect(JSON.parse(stdout)).toEqual(expect.arrayContaining([expect.objectContaining({ Version: '2012-10-17' })]));
  });
});

describe.each([
  ['preflight', 'dist/preflight/preflight-command.js'],
  ['doctor', 'dist/preflight/doctor/doctor-command.js'],
])('npm run %s', (_, file) => {
  it('ends with 1 and says what to do without credentials', async () => {
    const { code, stdout } = await failure(file, ['dev']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^PROBLEM {2}credentials: no usable credentials/);
    expect(stdout).toContain('Sign in to account 111122223333');
  });
});
