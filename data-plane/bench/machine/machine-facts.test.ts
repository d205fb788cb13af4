import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkedOutCommit, machineFacts } from './machine-facts.js';

describe('what is told about the machine', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'bench-machine-'));
  });
  afterEach(async () => rm(directory, { recursive: true }));

  it('measures the disk and leaves nothing there', async () => {
    const machine = await machineFacts(directory);
    expect(machine.fsyncP50Ms).toBeGreaterThan(0);
    expect(machine.fsyncP99Ms).toBeGreaterThanOrEqual(machine.fsyncP50Ms);
    expect(machine.cores).toBeGreaterThanOrEqual(1);
    expect(await readdir(directory)).toEqual([]);
  });

  it('says so when there is no commit to name', async () => {
    expect(await checkedOutCommit(directory)).toEqual({ hash: 'unknown', dirty: true });
  });
});
