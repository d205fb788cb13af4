import { epochA, epochB, epochC } from '../../test/storage/sample-database.js';
import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import type { LocalObjectStore } from '../object-store/local-object-store.js';
import { systemRuntime } from '../runtime.js';
import { addMember, listMembers, removeMember } from './members.js';

let store: LocalObjectStore;
beforeEach(async () => {
  store = await temporaryStore();
});
afterEach(removeTemporaryDirectories);

describe('members', () => {
  it('are listed page by page, in order, until they are removed', async () => {
    for (const epoch of [epochB, epochA, epochC, epochB]) await addMember(systemRuntime, store, epoch);
    const onePerPage = Object.assign(Object.create(store) as LocalObjectStore, {
      list: (prefix: string, options?: object) => store.list(prefix, { ...options, limit: 1 }),
    });
    expect(await listMembers(systemRuntime, onePerPage)).toEqual([epochA, epochB, epochC]);
    await removeMember(store, epochB);
    await removeMember(store, epochB);
    expect(await listMembers(systemRuntime, store)).toEqual([epochA, epochC]);
  });

  it('are not confused by foreign objects', async () => {
    await addMember(systemRuntime, store, epochA);
    await store.put('members/else', Buffer.alloc(1), { ifAbsent: true });
    expect(await listMembers(systemRuntime, store)).toEqual([epochA]);
  });
});
