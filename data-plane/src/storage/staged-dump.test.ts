import { MemoryStore } from '../../test/memory-store.js';
import { VirtualRuntime } from '../../test/virtual-runtime.js';
import { removeOldDumps, StagedDump } from './staged-dump.js';

const dayMs = 86_400_000;

it('dumps that nobody asked for are removed after a day, and no others', async () => {
  const [runtime, dataStore] = [new VirtualRuntime(), new MemoryStore()];
  const stores = { runtime, deployment: 'test', dataStore };
  const stage = async (ageMs: number, chunks: number): Promise<StagedDump> => {
    const time = String(runtime.nowMs() - ageMs).padStart(13, '0');
    const dump = new StagedDump(stores, `${time}-${'a'.repeat(32)}`, Buffer.alloc(32, 7));
    for (let chunk = 0; chunk < chunks; chunk++) await dump.write(chunk, Buffer.from(`text ${chunk}`));
    return dump;
  };
  const old = await stage(dayMs + 1, 250);
  const young = await stage(dayMs - 1, 2);
  await removeOldDumps(stores);
  expect(dataStore.objects.size).toBe(2);
  expect(String(await young.read(1))).toBe('text 1');
  await expect(old.read(0)).rejects.toMatchObject({ code: 'DUMP_NOT_FOUND' });
  for (const name of dataStore.objects.keys()) {
    expect((await dataStore.get(name))?.body.includes('text')).toBe(false);
  }
  await young.remove(2);
  expect(dataStore.objects.size).toBe(0);
});
