import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lockDirectory } from './directory-lock.js';

const program = fileURLToPath(new URL('../../test/support/hold-lock.js', import.meta.url));

describe('lockDirectory', () => {
  let directory: string;
  let path: string;
  const children: ChildProcessWithoutNullStreams[] = [];
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'directory-lock-'));
    path = join(directory, 'lock');
  });
  afterEach(async () => {
    for (const child of children.splice(0)) await killed(child);
    await rm(directory, { recursive: true });
  });

  /** Starts a process that wants the lock, and what it says about it. */
  async function contender(): Promise<{ child: ChildProcessWithoutNullStreams; says: string }> {
    const child = spawn(process.execPath, [program, path]);
    children.push(child);
    const [data] = (await once(child.stdout, 'data')) as [Buffer];
    return { child, says: data.toString().trim() };
  }

  it('is held by one, and says by whom', async () => {
    const holder = await contender();
    expect(holder.says).toBe('held');
    const message = `the data directory ${directory} is in use by another process (pid ${holder.child.pid})`;
    await expect(lockDirectory(path, directory)).rejects.toMatchObject({ code: 'DATA_DIRECTORY_IN_USE', message });
  });

  it('is not given twice in one process, and comes back when released', async () => {
    const lock = await lockDirectory(path, directory);
    await expect(lockDirectory(path, directory)).rejects.toMatchObject({ code: 'DATA_DIRECTORY_IN_USE' });
    lock.release();
    (await lockDirectory(path, directory)).release();
  });

  it('goes from a killed holder to exactly one of those who race for it', async () => {
    for (let round = 0; round < 3; round += 1) {
      const { child } = await contender();
      await killed(child);
      const racers = await Promise.all([contender(), contender(), contender()]);
      expect(racers.filter((racer) => racer.says === 'held')).toHaveLength(1);
      for (const racer of racers) await killed(racer.child);
    }
  });
});

async function killed(child: ChildProcessWithoutNullStreams): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
