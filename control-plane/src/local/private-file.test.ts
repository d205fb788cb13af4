import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensurePrivateFile, readFileIfPresent, writePrivateFile } from './private-file.js';

describe('private files', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'private-file-'));
  });
  afterEach(async () => rm(directory, { recursive: true }));

  it('are for their owner only, whatever a crash left there', async () => {
    const path = join(directory, 'secret');
    await writeFile(`${path}.new`, 'half', { mode: 0o644 });
    await writeFile(path, 'old');
    await chmod(path, 0o644);
    await writePrivateFile(path, 'new');
    expect(await readFile(path, 'utf8')).toBe('new');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toEqual(['secret']);
  });

  it('are made once', async () => {
    const path = join(directory, 'secret');
    expect(await readFileIfPresent(path)).toBeUndefined();
    await ensurePrivateFile(path, () => 'first');
    await ensurePrivateFile(path, () => 'second');
    expect(await readFileIfPresent(path)).toBe('first');
  });
});
