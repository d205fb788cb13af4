import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BoundedLog } from './bounded-log.js';
import { SupervisedChild } from './supervised-child.js';

const entry = fileURLToPath(new URL('../../test/support/fickle-child.js', import.meta.url));

describe('SupervisedChild', () => {
  let directory: string;
  const children: SupervisedChild[] = [];
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'supervised-child-'));
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      child.kill();
      await child.stop(1_000);
    }
    await rm(directory, { recursive: true });
  });

  function supervise(script: string) {
    const reports: string[] = [];
    const ready: unknown[] = [];
    let wake: () => void = () => undefined;
    const child = new SupervisedChild({
      name: 'part',
      entry,
      environment: () => ({ ...process.env, FICKLE_SCRIPT: script, FICKLE_FILE: join(directory, 'starts') }),
      openLog: () => new BoundedLog(join(directory, 'part.log'), 1_000_000),
      report: (line) => {
        reports.push(line);
        wake();
      },
      onMessage: (message) => {
        ready.push(message);
        wake();
      },
      onProcessChange: () => wake(),
    });
    children.push(child);
    const until = async (condition: () => boolean): Promise<void> => {
      while (!condition()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    return { child, reports, ready, until };
  }

  it('is ready when the child says so, logs everything and reports what is odd', async () => {
    const { child, reports, ready, until } = supervise('stay');
    await child.start();
    expect(ready).toEqual([{ type: 'ready', start: 1 }]);
    await until(() => reports.includes('part: something odd'));
    await child.stop(5_000);
    expect(child.pid).toBeUndefined();
    expect(await readFile(join(directory, 'part.log'), 'utf8')).toContain('"start 1"');
  });

  it('starts a child again that died before and after it was ready', async () => {
    const { child, reports, ready, until } = supervise('die,stay,stay');
    await child.start();
    expect(ready).toEqual([{ type: 'ready', start: 2 }]);
    process.kill(child.pid!, 'SIGKILL');
    await until(() => ready.length === 2 && reports.includes('the part is running again'));
    expect(reports).toContain('the part has ended (exit code 3) and is started again');
    expect(reports).toContain('the part has ended (signal SIGKILL) and is started again');
  });

  it('gives up on a child that never becomes ready', async () => {
    const { child } = supervise('die');
    await expect(child.start()).rejects.toMatchObject({
      code: 'CHILD_NOT_STARTED',
      message: `the part does not start (exit code 3); its log is ${join(directory, 'part.log')}`,
    });
    expect(await readFile(join(directory, 'starts'), 'utf8')).toBe('5');
  });

  it('does not repeat a start that fails for its settings', async () => {
    const { child } = supervise('misconfigured');
    await expect(child.start()).rejects.toMatchObject({ code: 'CHILD_NOT_STARTED' });
    expect(await readFile(join(directory, 'starts'), 'utf8')).toBe('1');
  });

  it('ends a child that does not stop', async () => {
    const { child, reports } = supervise('stubborn');
    await child.start();
    await child.stop(50);
    expect(child.pid).toBeUndefined();
    expect(reports).toContain('the part did not stop within 0.05 s and is ended');
  });

  it('does not start after it was told to stop', async () => {
    const { child } = supervise('stay');
    await child.stop(0);
    await expect(child.start()).rejects.toMatchObject({ code: 'CHILD_NOT_STARTED' });
  });
});
