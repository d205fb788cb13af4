import { KeyRefusedError, KeyServiceUnavailableError } from '../keys/key-service.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { StoreUnavailableError } from '../object-store/object-store.js';
import { systemRuntime } from '../runtime.js';
import { Dependencies } from './dependencies.js';

let nowMs = 0;
const runtime = { ...systemRuntime, monotonicMs: () => nowMs };
const long = 60_000;

interface Service {
  answer: () => Promise<void>;
}

const answers = async (): Promise<void> => undefined;

function storeOf(service: Service): ObjectStore {
  return { get: async () => service.answer() } as unknown as ObjectStore;
}

function keysOf(service: Service) {
  return { ask: async () => service.answer() } as unknown as Parameters<Dependencies['watchKeys']>[0];
}

/** What is known once the services were asked. */
async function askedAnew(dependencies: Dependencies): Promise<string | undefined> {
  nowMs += long;
  dependencies.silent();
  await new Promise(setImmediate);
  return dependencies.silent();
}

describe('what a node depends on', () => {
  it('is one log store and the key service', async () => {
    const [log, keys] = [{ answer: answers }, { answer: answers }];
    const dependencies = new Dependencies(runtime, 1);
    dependencies.watchLog('log', storeOf(log));
    dependencies.watchKeys(keysOf(keys), 'd');
    expect(dependencies.silent()).toBeUndefined();
    expect(await askedAnew(dependencies)).toBeUndefined();

    log.answer = async () => Promise.reject(new StoreUnavailableError('away'));
    expect(await askedAnew(dependencies)).toBe('the log store does not answer it');
    log.answer = answers;
    keys.answer = async () => Promise.reject(new KeyServiceUnavailableError('away'));
    expect(await askedAnew(dependencies)).toBe('the key service does not answer it');
    keys.answer = async () => Promise.reject(new KeyRefusedError('disabled', 'disabled'));
    expect(await askedAnew(dependencies)).toBeUndefined();
  });

  it('is two of three zones of a log', async () => {
    const zones = ['log-1', 'log-2', 'log-3'].map((name) => ({ name, answer: answers }));
    const dependencies = new Dependencies(runtime, 3);
    for (const zone of zones) dependencies.watchLog(zone.name, storeOf(zone));
    zones[0]!.answer = async () => Promise.reject(new StoreUnavailableError('away'));
    expect(await askedAnew(dependencies)).toBeUndefined();
    zones[2]!.answer = zones[0]!.answer;
    expect(await askedAnew(dependencies)).toBe('the log store does not answer it');
  });

  it('is judged by what real requests met', () => {
    const dependencies = new Dependencies(runtime, 1);
    dependencies.watchLog('log', storeOf({ answer: answers }));
    dependencies.watchKeys(keysOf({ answer: answers }), 'd');
    const request = { operation: 'put', objects: 'log', durationMs: 1, sentBytes: 1, receivedBytes: 0 } as const;
    for (const [outcome, silent] of [
      ['unavailable', true],
      ['ok', false],
      ['unknown', true],
      ['lost', false],
      ['failed', true],
      ['absent', false],
    ] as const) {
      dependencies.onLogRequest('log', { ...request, outcome });
      expect(dependencies.silent()).toBe(silent ? 'the log store does not answer it' : undefined);
    }
    dependencies.onLogRequest('data', { ...request, outcome: 'unavailable', durationMs: 1 });
    expect(dependencies.silent()).toBeUndefined();
    const use = { operation: 'unwrap', keyId: 'k', database: 'd' } as const;
    dependencies.onKeyUse({ ...use, outcome: 'unavailable', durationMs: 1 });
    expect(dependencies.silent()).toBe('the key service does not answer it');
    dependencies.onKeyUse({ ...use, outcome: 'refused', durationMs: 1 });
    expect(dependencies.silent()).toBeUndefined();
  });
});
