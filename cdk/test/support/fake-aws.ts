/** For tests of shell scripts: an `aws` that writes down what it is asked and answers what the test says. */
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ScriptRun {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The arguments of each call of `aws`, one text each. */
  readonly calls: readonly string[];
}

/**
 * Runs a script with the fake in front of everything else on the path.
 *
 * @param account - What `aws sts get-caller-identity` says.
 * @param answers - Lines of a shell `case` about `"$1 $2"`, for further calls.
 */
export function runWithFakeAws(
  directory: string,
  script: string,
  args: readonly string[],
  account: string,
  answers = '',
): ScriptRun {
  const calls = join(directory, 'calls');
  writeFileSync(calls, '');
  const fake = join(directory, 'aws');
  writeFileSync(
    fake,
    `#!/bin/sh\necho "$@" >>"$CALLS"\ncase "$1 $2" in\n"sts get-caller-identity") echo ${account};;\n${answers}\nesac\n`,
  );
  chmodSync(fake, 0o755);
  const path = join(directory, 'script.sh');
  writeFileSync(path, script);
  const env = { PATH: `${directory}:${process.env['PATH'] ?? ''}`, CALLS: calls, DIRECTORY: directory };
  const { status, stdout, stderr } = spawnSync('sh', [path, ...args], { env, encoding: 'utf8' });
  return { status, stdout, stderr, calls: readFileSync(calls, 'utf8').trim().split('\n') };
}
