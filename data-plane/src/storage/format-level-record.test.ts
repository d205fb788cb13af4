import { alteredStore } from '../../test/altered-store.js';
import { bitFlips, truncations } from '../../test/damage.js';
import { epochA } from '../../test/storage/sample-database.js';
import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import { thrownBy } from '../../test/support/thrown-by.js';
import type { LocalObjectStore } from '../object-store/local-object-store.js';
import type { ETag } from '../object-store/object-store.js';
import { systemRuntime } from '../runtime.js';
import { firstFormatLevel, FormatLevel, newestFormatLevel } from './format-level.js';
import {
  assertFormatLevelKnown,
  beginFormatLevel,
  readFormatLevel,
  replaceFormatLevel,
} from './format-level-record.js';
import { formatLevelName, nodeRecordName } from './object-names.js';

const missing = expect.objectContaining({
  code: 'STORE_OBJECT_MISSING',
  message: expect.stringContaining('format-level'),
});

let store: LocalObjectStore;
beforeEach(async () => {
  store = await temporaryStore();
});
afterEach(removeTemporaryDirectories);

describe('the stored format level', () => {
  it('begins with what the release before reads, once, for all nodes that start together', async () => {
    const begun = await Promise.all(Array.from({ length: 8 }, async () => beginFormatLevel(systemRuntime, store)));
    expect(begun.map(({ record }) => record)).toEqual(Array(8).fill({ version: 1, level: firstFormatLevel }));
    expect(await readFormatLevel(systemRuntime, store)).toEqual(begun[0]);
    expect(firstFormatLevel).toBe(Math.max(1, newestFormatLevel - 1));
  });

  it('is an error when it is missing, never the first level, once a node has started', async () => {
    await expect(readFormatLevel(systemRuntime, store)).rejects.toEqual(missing);
    await store.put(nodeRecordName(epochA), Buffer.from('any'), { ifAbsent: true });
    await expect(beginFormatLevel(systemRuntime, store)).rejects.toEqual(missing);
    expect(await store.get(formatLevelName)).toBeUndefined();
  });

  it('is found by a node that looks while another one begins it and announces itself', async () => {
    const late = alteredStore(store, {
      list: async (prefix, options) => {
        await beginFormatLevel(systemRuntime, store);
        await store.put(nodeRecordName(epochA), Buffer.from('any'), { ifAbsent: true });
        return store.list(prefix, options);
      },
    });
    expect((await beginFormatLevel(systemRuntime, late)).record).toEqual({ version: 1, level: firstFormatLevel });
  });

  it('changes by its version', async () => {
    const begun = await beginFormatLevel(systemRuntime, store);
    const announced = await replaceFormatLevel(systemRuntime, store, begun, { level: 1, raisingTo: 2 });
    expect(announced?.record).toEqual({ version: 2, level: 1, raisingTo: 2 });
    expect(await replaceFormatLevel(systemRuntime, store, begun, { level: 1 })).toBeUndefined();
    expect(await readFormatLevel(systemRuntime, store)).toEqual(announced);
  });

  it('is refused when it is damaged', async () => {
    await beginFormatLevel(systemRuntime, store);
    const found = await store.get(formatLevelName);
    const bytes = found?.body as Buffer;
    let etag = found?.etag as ETag;
    const damaged = expect.objectContaining({ code: expect.stringMatching(/^STORE_(OBJECT_CORRUPT|FORMAT_UNKNOWN)$/) });
    for (const altered of [...truncations(bytes), ...bitFlips(bytes, 7)]) {
      const written = await store.put(formatLevelName, altered, { ifMatch: etag });
      if (!written.won) throw new Error('not written');
      etag = written.etag;
      await expect(readFormatLevel(systemRuntime, store)).rejects.toEqual(damaged);
    }
  });

  it('is known up to the newest level of the release, and a raise that is under way counts', () => {
    assertFormatLevelKnown({ version: 1, level: 1 }, 2);
    assertFormatLevelKnown({ version: 2, level: 1, raisingTo: 2 }, 2);
    assertFormatLevelKnown({ version: 3, level: 2 }, 2);
    for (const record of [
      { version: 4, level: 3 },
      { version: 4, level: 2, raisingTo: 3 },
    ]) {
      expect(thrownBy(() => assertFormatLevelKnown(record, 2))).toMatchObject({
        code: 'FORMAT_LEVEL_UNKNOWN',
        message: expect.stringMatching(/3; this release reads formats up to level 2$/),
      });
    }
  });
});

describe('the format level of a node', () => {
  it('never falls', () => {
    const formats = new FormatLevel();
    expect(formats.current).toBe(1);
    for (const level of [3, 2, 1]) formats.learn(level);
    expect(formats.current).toBe(3);
  });
});
