import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeObjectStoreContract } from '../../test/object-store-contract.js';
import { LocalObjectStore } from '../object-store/local-object-store.js';
import { OutcomeUnknownError, StoreUnavailableError, type ObjectStore } from '../object-store/object-store.js';
import { systemRuntime } from '../runtime.js';
import { CountingObjectStore, type StoreRequest } from './counting-object-store.js';

async function openCounted() {
  const directory = await mkdtemp(join(tmpdir(), 'counting-object-store-'));
  const inner = await LocalObjectStore.open(join(directory, 'store'));
  const requests: StoreRequest[] = [];
  return {
    requests,
    store: new CountingObjectStore(inner, systemRuntime, (request) => requests.push(request)),
    dispose: async () => {
      await inner.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

describeObjectStoreContract('counted', openCounted);

it('reports each operation with its outcome and its bytes', async () => {
  const { store, requests, dispose } = await openCounted();
  await store.get('k');
  await store.put('k', Buffer.from('hello'), { ifAbsent: true });
  await store.put('k', Buffer.from('again!'), { ifAbsent: true });
  await store.get('k');
  await store.getRange('k', 1, 3);
  await store.list('');
  await store.delete('k');
  await store.getRange('k', 0, 1);
  await dispose();
  expect(
    requests.map(({ operation, outcome, sentBytes, receivedBytes }) => [operation, outcome, sentBytes, receivedBytes]),
  ).toEqual([
    ['get', 'absent', 0, 0],
    ['put', 'ok', 5, 0],
    ['put', 'lost', 6, 0],
    ['get', 'ok', 0, 5],
    ['get_range', 'ok', 0, 3],
    ['list', 'ok', 0, 0],
    ['delete', 'ok', 0, 0],
    ['get_range', 'absent', 0, 0],
  ]);
});

it.each<[Error, string]>([
  [new StoreUnavailableError('x'), 'unavailable'],
  [new OutcomeUnknownError('x'), 'unknown'],
  [new RangeError('x'), 'failed'],
])('times and reports %s and throws it on', async (failure, outcome) => {
  const requests: StoreRequest[] = [];
  let nowMs = 100;
  const failing = {
    put: async () => {
      nowMs += 7;
      throw failure;
    },
  } as unknown as ObjectStore;
  const store = new CountingObjectStore(failing, { monotonicMs: () => nowMs }, (request) => requests.push(request));
  await expect(store.put('log/k', Buffer.from('abc'), { ifAbsent: true })).rejects.toBe(failure);
  expect(requests).toEqual([
    { operation: 'put', objects: 'log', outcome, durationMs: 7, sentBytes: 3, receivedBytes: 0 },
  ]);
});
