import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import { CountingObjectStore } from '../metering/counting-object-store.js';
import { systemRuntime } from '../runtime.js';
import { RecentObjects } from './recent-objects.js';

afterEach(removeTemporaryDirectories);

async function counted(maxBytes: number): Promise<{ recent: RecentObjects; reads: () => number }> {
  const requests: string[] = [];
  const store = new CountingObjectStore(await temporaryStore(), systemRuntime, ({ operation }) =>
    requests.push(operation),
  );
  return {
    recent: new RecentObjects(store, maxBytes),
    reads: () => requests.filter((name) => name === 'get_range').length,
  };
}

const absent = { ifAbsent: true } as const;

describe('recent objects', () => {
  it('are read from memory, byte for byte as from the store', async () => {
    const { recent, reads } = await counted(1_000);
    await recent.put('log/a', Buffer.from('0123456789'), absent);
    expect((await recent.getRange('log/a', 2, 3))?.toString()).toBe('234');
    expect((await recent.getRange('log/a', 8, 10))?.toString()).toBe('89');
    expect(await recent.getRange('log/a', 20, 5)).toHaveLength(0);
    expect(reads()).toBe(0);
  });

  it('are forgotten, oldest first, when they become too many', async () => {
    const { recent, reads } = await counted(25);
    for (const name of ['a', 'b', 'c']) await recent.put(`log/${name}`, Buffer.from(`${name}123456789`), absent);
    expect((await recent.getRange('log/c', 0, 1))?.toString()).toBe('c');
    expect((await recent.getRange('log/b', 0, 1))?.toString()).toBe('b');
    expect(reads()).toBe(0);
    expect((await recent.getRange('log/a', 0, 1))?.toString()).toBe('a');
    expect(reads()).toBe(1);
  });

  it('are only those that this writer won', async () => {
    const { recent, reads } = await counted(1_000);
    const other = recent.put('log/a', Buffer.from('first'), absent);
    await other;
    await recent.delete('log/a');
    expect(await recent.getRange('log/a', 0, 5)).toBeUndefined();
    await recent.put('log/a', Buffer.from('again'), absent);
    expect(await recent.put('log/a', Buffer.from('loser'), absent)).toEqual({ won: false });
    expect((await recent.getRange('log/a', 0, 5))?.toString()).toBe('again');
    expect(reads()).toBe(1);
  });
});
