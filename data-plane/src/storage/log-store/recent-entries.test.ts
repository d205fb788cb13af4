import { epochA } from '../../../test/storage/sample-database.js';
import { removeTemporaryDirectories, temporaryStore } from '../../../test/temporary-store.js';
import { CountingObjectStore } from '../../metering/counting-object-store.js';
import { systemRuntime } from '../../runtime.js';
import { RecentEntries } from './recent-entries.js';
import { SingleLogStore } from './single-log-store.js';

afterEach(removeTemporaryDirectories);

async function counted(maxBytes: number): Promise<{ recent: RecentEntries; reads: () => number }> {
  const requests: string[] = [];
  const store = new CountingObjectStore(await temporaryStore(), systemRuntime, ({ operation }) =>
    requests.push(operation),
  );
  return {
    recent: new RecentEntries(new SingleLogStore(systemRuntime, store), maxBytes),
    reads: () => requests.filter((name) => name === 'get_range').length,
  };
}

describe('recent entries', () => {
  it('are read from memory, byte for byte as from the store', async () => {
    const { recent, reads } = await counted(1_000);
    await recent.create(epochA, 1, Buffer.from('0123456789'));
    expect((await recent.read(epochA, 1, 2, 3))?.toString()).toBe('234');
    expect((await recent.read(epochA, 1, 8, 10))?.toString()).toBe('89');
    expect(await recent.read(epochA, 1, 20, 5)).toHaveLength(0);
    expect(reads()).toBe(0);
  });

  it('are forgotten, oldest first, when they become too many', async () => {
    const { recent, reads } = await counted(25);
    for (const position of [1, 2, 3]) await recent.create(epochA, position, Buffer.from(`${position}123456789`));
    expect((await recent.read(epochA, 3, 0, 1))?.toString()).toBe('3');
    expect((await recent.read(epochA, 2, 0, 1))?.toString()).toBe('2');
    expect(reads()).toBe(0);
    expect((await recent.read(epochA, 1, 0, 1))?.toString()).toBe('1');
    expect(reads()).toBe(1);
  });

  it('do not count twice when they were created again', async () => {
    const { recent, reads } = await counted(25);
    for (const position of [1, 2, 2, 2]) await recent.create(epochA, position, Buffer.from(`${position}123456789`));
    expect((await recent.read(epochA, 1, 0, 1))?.toString()).toBe('1');
    expect(reads()).toBe(0);
  });

  it('are only those that this writer won', async () => {
    const { recent, reads } = await counted(1_000);
    await recent.create(epochA, 1, Buffer.from('first'));
    await recent.remove(epochA, 1);
    expect(await recent.read(epochA, 1, 0, 5)).toBeUndefined();
    await recent.create(epochA, 1, Buffer.from('again'));
    expect(await recent.create(epochA, 1, Buffer.from('loser'))).toBe('lost');
    expect((await recent.read(epochA, 1, 0, 5))?.toString()).toBe('again');
    expect(reads()).toBe(1);
  });
});
