import fc from 'fast-check';
import { bitFlips, truncations } from '../../test/damage.js';
import {
  databaseA,
  databaseB,
  pageOf,
  pageRecord,
  SampleDatabase,
  sampleSealer,
} from '../../test/storage/sample-database.js';
import { VirtualRuntime } from '../../test/virtual-runtime.js';
import {
  chainStart,
  commitBytes,
  commitDefect,
  decodeFragment,
  decodeFragmentHeader,
  encodeFragment,
  forEachPage,
  fragmentDigest,
  uuidBytes,
  uuidText,
  type Commit,
} from './fragment.js';

const runtime = new VirtualRuntime();
const sealer = sampleSealer(runtime);
const sample = new SampleDatabase();
sample.write(3, new Map([1, 2, 3].map((page) => [page, pageOf(`first ${page}`)])), 2);
sample.write(3, new Map([[2, pageOf('second 2')]]));
sample.write(2, new Map());
const fragment = encodeFragment(sealer, databaseA, 4, chainStart, sample.commits);
const corrupt = expect.objectContaining({ code: 'STORE_OBJECT_CORRUPT' });

function flat(commits: readonly Commit[]): object[] {
  return commits.map((commit) => {
    const pages: [number, string][] = [];
    forEachPage(commit, (page, content) => pages.push([page, Buffer.from(content).toString('latin1')]));
    return { ...commit, pages };
  });
}

describe('fragment', () => {
  it('gives back its commits and says in its header what it holds', () => {
    expect(flat(decodeFragment(sealer, 'here', fragment))).toEqual(flat(sample.commits));
    expect(decodeFragmentHeader('here', fragment)).toEqual({
      database: databaseA,
      term: 4,
      firstCommit: 1,
      lastCommit: 3,
      previous: chainStart,
    });
  });

  it('refuses every truncation and every flipped bit by name', () => {
    const small = encodeFragment(sealer, databaseA, 4, chainStart, sample.commits.slice(2).concat());
    const step = 97;
    for (const altered of [...truncations(small), ...bitFlips(small), ...bitFlips(fragment, step)]) {
      expect(() => decodeFragment(sealer, 'here', altered)).toThrow(corrupt);
    }
  });

  it('refuses any bytes at all by name', () => {
    const start = fragment.subarray(0, 1);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, asFragment) => {
        const altered = asFragment ? Buffer.concat([start, bytes]) : Buffer.from(bytes);
        expect(() => decodeFragment(sealer, 'here', altered)).toThrow(corrupt);
      }),
    );
    const extreme = Buffer.from(fragment);
    extreme.fill(0xff, 17, 41);
    expect(() => decodeFragment(sealer, 'here', extreme)).toThrow(corrupt);
  });

  it('refuses the fragment of another database under this name, with this key or its own', () => {
    for (const other of [sampleSealer(runtime, databaseB), sampleSealer(runtime, databaseB, databaseA.charCodeAt(0))]) {
      const foreign = encodeFragment(other, databaseB, 4, chainStart, sample.commits);
      expect(() => decodeFragment(sealer, 'here', foreign)).toThrow(corrupt);
      uuidBytes(databaseA).copy(foreign, 1);
      expect(() => decodeFragment(sealer, 'here', foreign)).toThrow(corrupt);
    }
  });

  it('refuses a payload that is not the commits of its header', () => {
    const [first, second, third] = sample.commits as [Commit, Commit, Commit];
    for (const commits of [
      [first, third],
      [first, third, third],
      [second, first, second],
    ]) {
      const wrong = encodeFragment(sealer, databaseA, 4, chainStart, commits);
      expect(() => decodeFragment(sealer, 'here', wrong)).toThrow(corrupt);
    }
  });

  it('changes its digest with every byte', () => {
    expect(fragmentDigest(fragment)).toHaveLength(32);
    expect(fragmentDigest(fragment).equals(fragmentDigest(fragment.subarray(1)))).toBe(false);
  });

  it('counts what a commit takes', () => {
    expect(sample.commits.map(commitBytes)).toEqual([24 + 3 * 4100, 24 + 4100, 24]);
  });

  it('keeps a UUID', () => {
    expect(uuidText(uuidBytes(databaseB))).toBe(databaseB);
  });
});

describe('a commit that an engine process handed over', () => {
  const good: Commit = { number: 1, timeMs: 1, databasePages: 2, pages: [pageRecord(1, pageOf('a'))] };

  it('may be stored, also with pages that it cut off itself', () => {
    expect(sample.commits.map(commitDefect)).toEqual([undefined, undefined, undefined]);
    expect(commitDefect({ ...good, pages: [pageRecord(9, pageOf('cut off'))] })).toBeUndefined();
  });

  it.each<[string, Commit, string]>([
    ['no page left', { ...good, databasePages: 0 }, 'no page'],
    ['a cut record', { ...good, pages: [Buffer.alloc(4099)] }, 'incomplete'],
    ['records cut between parts', { ...good, pages: [Buffer.alloc(4000), Buffer.alloc(4200)] }, 'incomplete'],
    ['page 0', { ...good, pages: [pageRecord(0, pageOf('a'))] }, 'page 0'],
    ['a page twice', { ...good, pages: [pageRecord(2, pageOf('a')), pageRecord(2, pageOf('b'))] }, 'twice'],
  ])('is refused with %s', (_what, commit, why) => {
    expect(commitDefect(commit)).toContain(why);
  });
});
