import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { landlockRuleset } from './landlock-rules.js';

const makeSymbolicLink = 1 << 12;
const refer = 1 << 13;
const makeSocket = 1 << 9;
const directoryRights = ~((1 << 0) | (1 << 1) | (1 << 2) | (1 << 14));

describe('landlockRuleset', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'landlock-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  const ruleset = (abi: number) =>
    landlockRuleset(abi, { program: process.execPath, readable: [join(folder, 'missing')], writable: folder });

  it('asks only for what the version of the kernel knows', () => {
    expect([1, 2, 3, 4, 5, 6, 99].map((abi) => ruleset(abi).fileRights.toString(2).length)).toEqual([
      13, 14, 15, 15, 16, 16, 16,
    ]);
    expect([1, 4, 6, 99].map((abi) => ruleset(abi).attributeBytes)).toEqual([8, 16, 24, 24]);
    expect([3, 4].map((abi) => ruleset(abi).networkRights)).toEqual([0, 3]);
    expect([5, 6].map((abi) => ruleset(abi).scopes)).toEqual([0, 3]);
    for (const rule of ruleset(1).rules) expect(rule.rights).toBeLessThan(1 << 13);
  });

  it('lets only the own directory be changed, and no link lead out of it', () => {
    const changing = ruleset(7).rules.filter((rule) => (rule.rights & 0b10) !== 0 && !rule.path.startsWith('/dev/'));
    expect(changing.map((rule) => rule.path)).toEqual([folder]);
    expect(changing[0]!.rights & (makeSymbolicLink | refer | makeSocket)).toBe(0);
  });

  it('leaves out what does not exist and gives files no rights of directories', () => {
    writeFileSync(join(folder, 'file'), '');
    const { rules } = landlockRuleset(7, {
      program: process.execPath,
      readable: [join(folder, 'file')],
      writable: join(folder, 'missing'),
    });
    expect(rules.some((rule) => rule.path.endsWith('missing'))).toBe(false);
    expect(rules.find((rule) => rule.path.endsWith('/file'))!.rights & directoryRights).toBe(0);
  });
});
