import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import { systemRuntime, type Runtime } from '../runtime.js';
import { assertCapable, capabilityNames, probeCapabilities, type Capability } from './capability-probe.js';
import { OutcomeUnknownError, StoreUnavailableError, type ETag, type ObjectStore } from './object-store.js';

const runtime: Runtime = { ...systemRuntime, sleep: async () => undefined };

let store: ObjectStore;
beforeEach(async () => {
  store = await temporaryStore();
});
afterEach(removeTemporaryDirectories);

/** The store with some of its operations done otherwise. */
function otherwise(changed: Partial<ObjectStore>): ObjectStore {
  return {
    get: async (key) => store.get(key),
    getRange: async (key, start, length) => store.getRange(key, start, length),
    put: async (key, body, condition) => store.put(key, body, condition),
    delete: async (key) => store.delete(key),
    list: async (prefix, options) => store.list(prefix, options),
    ...changed,
  };
}

const put = async (key: string, body: Uint8Array): Promise<{ won: true; etag: ETag }> => {
  const old = await store.get(key);
  const result = await store.put(key, body, old ? { ifMatch: old.etag } : { ifAbsent: true });
  return result.won ? result : put(key, body);
};

async function lacks(changed: Partial<ObjectStore>): Promise<Partial<Record<Capability, string>>> {
  const found = await probeCapabilities(runtime, otherwise(changed));
  return Object.fromEntries(Object.entries(found).filter(([, what]) => what !== undefined));
}

describe('the capability probe', () => {
  it('finds nothing wrong with a store that keeps its promises, and leaves nothing behind', async () => {
    expect(await lacks({})).toEqual({});
    expect(await store.list('')).toEqual({ keys: [] });
  });

  it('notices a store that ignores all conditions', async () => {
    expect(await lacks({ put: async (key, body) => put(key, body) })).toEqual({
      createIfAbsent: expect.stringContaining('a second create-if-absent'),
      replaceIfUnchanged: expect.stringContaining('with an old ETag succeeded'),
    });
  });

  it('notices a store that honours only create-if-absent', async () => {
    const changed: Partial<ObjectStore> = {
      put: async (key, body, condition) => ('ifMatch' in condition ? put(key, body) : store.put(key, body, condition)),
    };
    expect(Object.keys(await lacks(changed))).toEqual(['replaceIfUnchanged']);
  });

  it('notices a store that creates what it should replace', async () => {
    const changed: Partial<ObjectStore> = {
      put: async (key, body, condition) =>
        (await store.get(key)) ? store.put(key, body, condition) : store.put(key, body, { ifAbsent: true }),
    };
    expect(await lacks(changed)).toEqual({ replaceIfUnchanged: expect.stringContaining('that was not there') });
  });

  it('notices a store that checks first and writes later', async () => {
    const changed: Partial<ObjectStore> = {
      put: async (key, body, condition) => {
        const current = await store.get(key);
        if ('ifMatch' in condition ? current?.etag !== condition.ifMatch : current) return { won: false };
        await new Promise((resolve) => setTimeout(resolve, 50));
        return put(key, body);
      },
    };
    expect(await lacks(changed)).toEqual({
      createIfAbsent: expect.stringMatching(/[2-4] of 4 creates of one object at the same time succeeded/),
      replaceIfUnchanged: expect.stringMatching(/[2-4] of 4 replacements of one object at the same time succeeded/),
    });
  });

  it('notices a store whose loser takes effect', async () => {
    const changed: Partial<ObjectStore> = {
      put: async (key, body, condition) => {
        const result = await store.put(key, body, condition);
        if (!result.won) await put(key, body);
        return result;
      },
    };
    expect(Object.keys(await lacks(changed))).toEqual(['createIfAbsent', 'replaceIfUnchanged']);
  });

  it('notices ranges, listings and deletions that are wrong', async () => {
    expect(Object.keys(await lacks({ getRange: async (key) => (await store.get(key))?.body }))).toEqual(['rangeRead']);
    const list: ObjectStore['list'] = async (prefix, options) => {
      const { keys } = await store.list(prefix, options);
      return { keys: [...keys].reverse() };
    };
    expect(Object.keys(await lacks({ list }))).toEqual(['orderedList']);
    expect(Object.keys(await lacks({ delete: async () => undefined }))).toEqual(['delete']);
  });

  it('gives trouble that passes another chance', async () => {
    let call = 0;
    const changed: Partial<ObjectStore> = {
      put: async (key, body, condition) => {
        call += 1;
        if (call === 3) throw new OutcomeUnknownError('no answer');
        if ([7, 25].includes(call)) throw new StoreUnavailableError('slow down');
        return store.put(key, body, condition);
      },
    };
    expect(await lacks(changed)).toEqual({});
  });

  it('says what it could not try', async () => {
    const refuse = async (): Promise<never> => Promise.reject(new StoreUnavailableError('403 AccessDenied'));
    expect(await lacks({ delete: refuse })).toEqual({ delete: 'it could not be tried: 403 AccessDenied' });
    await expect(probeCapabilities(runtime, otherwise({ get: refuse }))).rejects.toThrow('403 AccessDenied');
  });
});

describe('what is needed of a store', () => {
  it('is refused by name when it is not there', async () => {
    const found = await probeCapabilities(runtime, otherwise({ delete: async () => undefined }));
    expect(() => assertCapable('s3://bucket/prefix', found, ['createIfAbsent'])).not.toThrow();
    expect(() => assertCapable('s3://bucket/prefix', found, capabilityNames)).toThrow(
      expect.objectContaining({
        code: 'STORE_INCAPABLE',
        message: expect.stringMatching(/s3:\/\/bucket\/prefix cannot be used. delete: an object is still there/),
      }),
    );
  });
});
