import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode } from '../errors/error-code.js';
import { readFileIfPresent } from './private-file.js';

const pollMs = 50;

/**
 * Waits until the processes that a previous launcher started are gone, for at most `budgetMs`. They end by themselves
 * when their launcher does, but may still be finishing what they had in hand. Returns whether all are gone.
 */
export async function waitForPreviousRun(
  childrenFile: string,
  budgetMs: number,
  report: (line: string) => void,
): Promise<boolean> {
  const pids = parsePids(await readFileIfPresent(childrenFile));
  const deadline = performance.now() + budgetMs;
  let reported = false;
  while (pids.some(isAlive)) {
    if (performance.now() > deadline) return false;
    if (!reported) report('waiting for the processes of the previous run to end');
    reported = true;
    await sleep(pollMs);
  }
  return true;
}

/** The content of the file that names the running processes. */
export function childrenFileContent(pids: readonly number[]): string {
  return `${JSON.stringify({ pids })}\n`;
}

function parsePids(text: string | undefined): number[] {
  if (text === undefined) return [];
  try {
    const { pids } = JSON.parse(text) as { pids?: unknown };
    return Array.isArray(pids) ? pids.filter((pid): pid is number => Number.isSafeInteger(pid) && pid > 0) : [];
  } catch (error) {
    // The power failed before the file reached the disk; then no process of that run is left either.
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}
