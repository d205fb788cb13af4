import { removeTemporaryDirectories } from '../../test/temporary-store.js';
import { SampleStorage } from '../../test/storage/sample-storage.js';
import { databaseA, pageOf } from '../../test/storage/sample-database.js';
import type { StoredObject } from '../object-store/object-store.js';
import { systemRuntime } from '../runtime.js';
import { atOnce } from '../turns.js';
import { encodeArchive, readArchive } from './archive.js';
import { chainStart, decodeFragment, decodeFragmentHeader, fragmentDigest } from './fragment.js';
import { sha256 } from './generation.js';
import { archiveName } from './object-names.js';

afterEach(removeTemporaryDirectories);

describe('archive', () => {
  it('holds the fragments as they were logged, and an index of the pages that each commit changed', async () => {
    const storage = await SampleStorage.create();
    storage.sample.write(3, new Map([1, 3].map((page) => [page, pageOf('first')])), 2);
    storage.sample.write(2, new Map());
    await storage.log();
    storage.sample.write(2, new Map([[2, pageOf('third')]]));
    await storage.log();
    const tail = await storage.tail();
    const archive = atOnce(encodeArchive(storage.sealer, 1, 5, tail));

    expect(archive.toString('latin1', 0, 8)).toBe('TBYOARC1');
    expect(archive.readUInt32LE(8)).toBe(2);
    const headBytes = 12 + 2 * 24;
    expect(archive.subarray(headBytes, headBytes + 32).equals(sha256(archive.subarray(0, headBytes)))).toBe(true);
    const fragments = tail.map((_, index) => {
      const at = 12 + index * 24;
      const offset = archive.readUInt32LE(at + 16);
      const bytes = archive.subarray(offset, offset + archive.readUInt32LE(at + 20));
      const { firstCommit, lastCommit } = decodeFragmentHeader('archive', bytes);
      expect([archive.readBigUInt64LE(at), archive.readBigUInt64LE(at + 8)]).toEqual([
        BigInt(firstCommit),
        BigInt(lastCommit),
      ]);
      return bytes;
    });
    expect(fragments.map((bytes) => decodeFragment(storage.sealer, 'archive', bytes).length)).toEqual([2, 1]);
    expect(decodeFragmentHeader('archive', fragments[1] as Buffer).previous).toEqual(
      fragmentDigest(fragments[0] as Buffer),
    );

    const indexLength = archive.readUInt32LE(headBytes + 32);
    const sealed = archive.subarray(headBytes + 36, headBytes + 36 + indexLength);
    const opened = storage.sealer.open({ kind: 'archive-index', term: 1, numbers: [5] }, sealed);
    expect(JSON.parse(opened.toString())).toEqual([
      { number: 1, timeMs: 1_001, databasePages: 3, pages: [1, 3] },
      { number: 2, timeMs: 1_002, databasePages: 2, pages: [] },
      { number: 3, timeMs: 1_003, databasePages: 2, pages: [2] },
    ]);
    expect(() => storage.sealer.open({ kind: 'archive-index', term: 1, numbers: [6] }, sealed)).toThrow(
      expect.objectContaining({ code: 'STORE_OBJECT_CORRUPT' }),
    );
  });

  it('is named, by its digest, in the generation that was made from it', async () => {
    const storage = await SampleStorage.create();
    storage.sample.write(1, new Map([[1, pageOf('first')]]));
    await storage.log();
    const generation = await storage.fold();
    const stored = (await storage.dataStore.get(archiveName(databaseA, 1, 1)))?.body as Buffer;
    expect(sha256(stored).toString('hex')).toBe(generation.archiveDigest);
  });

  it('of another release is told from damage', async () => {
    const storage = await SampleStorage.create();
    storage.sample.write(1, new Map([[1, pageOf('first')]]));
    await storage.log();
    await storage.fold();
    const key = archiveName(databaseA, 1, 1);
    const { body, etag } = (await storage.dataStore.get(key)) as StoredObject;
    await storage.dataStore.put(key, Buffer.concat([Buffer.from('TBYOARC2'), body.subarray(8)]), { ifMatch: etag });
    const from = { commit: 0, chainDigest: chainStart };
    await expect(readArchive(systemRuntime, storage.dataStore, [databaseA], key, from).next()).rejects.toEqual(
      expect.objectContaining({ code: 'STORE_FORMAT_UNKNOWN', message: expect.stringContaining('TBYOARC2') }),
    );
  });
});
