import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BoundedLog } from './bounded-log.js';

describe('BoundedLog', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'bounded-log-'));
  });
  afterEach(async () => rm(directory, { recursive: true }));

  it('keeps the last lines within twice its bound, across reopening', async () => {
    const path = join(directory, 'x.log');
    for (let run = 0; run < 3; run += 1) {
      const log = new BoundedLog(path, 100);
      for (let line = 0; line < 20; line += 1) log.write(`run ${run} line ${line}`);
      log.close();
    }
    const current = await readFile(path, 'utf8');
    const previous = await readFile(`${path}.1`, 'utf8');
    expect(current.length).toBeLessThanOrEqual(100);
    expect(previous.length).toBeLessThanOrEqual(100);
    expect(`${previous}${current}`).toMatch(/^run 2 line \d+\n[^]*run 2 line 19\n$/);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('drops what comes after it was closed', async () => {
    const log = new BoundedLog(join(directory, 'x.log'), 100);
    log.write('kept');
    log.close();
    log.write('late');
    log.close();
    expect(await readFile(log.path, 'utf8')).toBe('kept\n');
  });
});
