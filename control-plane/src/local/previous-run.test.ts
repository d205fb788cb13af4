import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { childrenFileContent, waitForPreviousRun } from './previous-run.js';

describe('waitForPreviousRun', () => {
  let directory: string;
  let file: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'previous-run-'));
    file = join(directory, 'children.json');
  });
  afterEach(async () => rm(directory, { recursive: true }));

  it('returns at once when nothing ran before', async () => {
    expect(await waitForPreviousRun(file, 0, fail)).toBe(true);
    await writeFile(file, '');
    expect(await waitForPreviousRun(file, 0, fail)).toBe(true);
  });

  it('waits for a process that is still there', async () => {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()']);
    await writeFile(file, childrenFileContent([child.pid!]));
    expect(await waitForPreviousRun(file, 0, () => undefined)).toBe(false);
    const reports: string[] = [];
    const waiting = waitForPreviousRun(file, 60_000, (line) => {
      reports.push(line);
      child.stdin.end();
    });
    expect(await waiting).toBe(true);
    expect(reports).toHaveLength(1);
  });
});

function fail(line: string): void {
  throw new Error(`unexpected report: ${line}`);
}
