import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadAdapter } from './load-adapter.js';

describe('loading an adapter', () => {
  it.each(['libsql', 'tursodb'] as const)('gives the adapter of %s', async (engine) => {
    expect((await loadAdapter(engine)).name).toBe(engine);
  });

  it('names the engine that this platform lacks', () => {
    const directory = mkdtempSync(join(tmpdir(), 'load-adapter-'));
    try {
      // The compiled program in a place from where no package can be found.
      cpSync(fileURLToPath(new URL('../../../dist', import.meta.url)), join(directory, 'dist'), { recursive: true });
      writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
      const program = `
        import { loadAdapter } from './dist/engine/adapters/load-adapter.js';
        for (const engine of ['libsql', 'tursodb']) {
          await loadAdapter(engine).catch((error) => console.log(error.code, error.message));
        }`;
      const child = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
        cwd: directory,
        encoding: 'utf8',
      });
      expect(child.stdout.trim().split('\n')).toEqual([
        'ENGINE_UNAVAILABLE the engine "libsql" cannot be loaded on this platform',
        'ENGINE_UNAVAILABLE the engine "tursodb" cannot be loaded on this platform',
      ]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
