import { PackLevels } from './pack-levels.js';

describe('levels of packs', () => {
  it('merges all of a level when it has enough groups, and then the level above', () => {
    const levels = new PackLevels(3);
    for (const pack of [1, 2]) levels.add(0, [pack]);
    expect(levels.due()).toBeUndefined();
    levels.add(0, [3, 4]);
    expect(levels.due()).toEqual({ level: 0, packs: new Set([1, 2, 3, 4]) });
    levels.merged(0, [5]);
    expect(levels.due()).toBeUndefined();
    levels.add(1, [6]);
    levels.add(0, [7]);
    levels.add(1, [8]);
    expect(levels.due()).toEqual({ level: 1, packs: new Set([5, 6, 8]) });
    levels.merged(1, []);
    expect(levels.due()).toBeUndefined();
  });

  it('forgets packs that nobody uses, and groups without any', () => {
    const levels = new PackLevels(2);
    levels.add(0, [1, 2]);
    levels.add(0, [3]);
    levels.keep(new Set([2]));
    expect(levels.due()).toBeUndefined();
    levels.add(0, [4]);
    expect(levels.due()).toEqual({ level: 0, packs: new Set([2, 4]) });
  });

  it('bounds the groups whatever comes', () => {
    const levels = new PackLevels(8);
    let next = 1;
    let most = 0;
    const used = new Set<number>();
    for (let step = 0; step < 2_000; step++) {
      used.add(next);
      levels.add(0, [next++]);
      for (let due = levels.due(); due; due = levels.due()) {
        for (const pack of due.packs) used.delete(pack);
        used.add(next);
        levels.merged(due.level, [next++]);
      }
      most = Math.max(most, used.size);
    }
    expect(most).toBeLessThanOrEqual(4 * 8);
  });
});
