/** The commands of the documents that begin with `aws`, run by the real AWS CLI against an emulator that has a deployment. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));

/** What the emulator has not: of commands that ask for it only the CLI judges the parameters. */
const absent = ['aws cloudtrail lookup-events'];

/** Each block for a shell that begins with `aws`. */
function commands() {
  const pages = readdirSync(join(root, 'docs'), { recursive: true })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name));
  return ['README.md', ...pages.sort()].flatMap((page) =>
    [...readFileSync(join(root, page), 'utf8').matchAll(/^```sh\n(aws .*?)^```$/gms)].map(([, text]) => ({
      page,
      text: text.trim(),
    })),
  );
}

/**
 * Runs them all. `values`: what stands for the words in capitals, and for `<name>`. `environment`: leads to the emulator and to the CLI.
 * Returns those that failed, with what they said; those that were only parsed; and how many were run.
 */
export function runAwsCommands(environment, values) {
  const [failed, parsed] = [[], []];
  let ran = 0;
  for (const { page, text } of commands()) {
    const command = Object.entries(values).reduce((said, [word, value]) => said.replaceAll(word, value), text);
    const isAbsent = absent.some((start) => command.startsWith(start));
    if (isAbsent) parsed.push(`${page}: ${text}`);
    else ran += 1;
    const run = isAbsent ? `${command} --generate-cli-skeleton output` : command;
    const { status, stdout, stderr } = spawnSync('bash', ['-e', '-o', 'pipefail', '-c', run], {
      env: environment,
      encoding: 'utf8',
    });
    if (status !== 0) failed.push(`${page}: ${run}\n${stdout}${stderr}`);
  }
  return { failed, parsed, ran };
}
