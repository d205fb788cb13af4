import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpuSeconds, cpuSecondsOfStat } from './cpu-time.js';
import { memoryOfRollup, memoryUse } from './memory.js';
import { descendants } from './process-tree.js';

const stat = '42 (a (b) c) S 7 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 1000 0 0';

describe('what /proc tells about processes', () => {
  it('reads CPU time whatever the process is called', () => {
    expect(cpuSecondsOfStat(stat)).toBe(3);
  });

  it('sums the CPU time of living processes only', () => {
    expect(cpuSeconds([process.pid, 2 ** 22 + 1])).toBeGreaterThan(0);
    expect(cpuSeconds([])).toBe(0);
  });

  it('reads a memory rollup', () => {
    const rollup =
      'x [rollup]\nRss:  1736 kB\nPss:   259 kB\nPss_Anon: 1 kB\nPrivate_Clean: 36 kB\nPrivate_Dirty: 112 kB\n';
    expect(memoryOfRollup(rollup)).toEqual({
      residentBytes: 1736 * 1024,
      proportionalBytes: 259 * 1024,
      privateBytes: 148 * 1024,
    });
    expect(() => memoryOfRollup('Rss: 1 kB\n')).toThrow('Pss');
  });

  it('measures this process', () => {
    const use = memoryUse([process.pid, 2 ** 22 + 1]);
    expect(use.residentBytes).toBeGreaterThanOrEqual(use.proportionalBytes);
    expect(use.privateBytes).toBeGreaterThan(0);
  });

  it('finds processes started by started processes', async () => {
    const child = spawn('sh', ['-c', 'sleep 60 & echo started; wait'], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(child.stdout, 'data');
    const found = descendants(process.pid);
    expect(found).toContain(child.pid);
    const grandchildren = descendants(child.pid ?? 0);
    expect(grandchildren).toHaveLength(1);
    expect(found).toEqual(expect.arrayContaining(grandchildren));
    for (const pid of grandchildren) process.kill(pid);
    child.kill();
    await once(child, 'exit');
  });
});
