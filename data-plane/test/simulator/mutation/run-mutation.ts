import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Mutation } from './mutations.js';

export interface MutationVerdict {
  readonly mutation: Mutation;
  /** The first thing that was found wrong, or undefined when nothing was. */
  readonly caught: string | undefined;
  /** Runs until then. */
  readonly seeds: number;
}

/** Seeds that a named schedule is played with. */
const scheduledSeeds = 5;

/**
 * Loads the product with a mutation in a process of its own and simulates until something is found wrong: the schedule
 * that the mutation names, or runs from chance.
 */
export async function runMutation(mutation: Mutation, from: number, seeds: number): Promise<MutationVerdict> {
  // Built code lies one level deeper than its source.
  const isBuilt = import.meta.url.includes('/test/dist/');
  const test = new URL(isBuilt ? '../../../' : '../../', import.meta.url);
  const mutate = fileURLToPath(new URL('support/mutate.js', test));
  const command = fileURLToPath(new URL('dist/simulator/simulate-command.js', test));
  const { schedule, workload = 'plain' } = mutation;
  const what =
    schedule === undefined
      ? ['--seeds', String(seeds), '--workload', workload]
      : ['--seeds', String(Math.min(seeds, scheduledSeeds)), '--schedules', '--only', schedule];
  const child = spawn(
    process.execPath,
    ['--import', mutate, command, ...what, '--from', String(from), '--until-failure'],
    { env: { ...process.env, MUTATION: JSON.stringify([mutation]) }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  let complaints = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const failure = /^seed (\d+) FAILED: (.*)$/m.exec(output);
  if (failure) return { mutation, caught: failure[2], seeds: Number(failure[1]) - from + 1 };
  if (code !== 0) throw new Error(`${mutation.name}: the simulator ended with ${String(code)}: ${complaints}`);
  return { mutation, caught: undefined, seeds };
}
