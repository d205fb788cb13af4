import { databaseA, pageOf, SampleDatabase, sampleSealer } from '../../test/storage/sample-database.js';
import { VirtualRuntime } from '../../test/virtual-runtime.js';
import { chainStart, encodeFragment, fragmentDigest } from './fragment.js';
import { fragmentEnd, nextFragment, type ChainStart, type SealedFragment } from './fragment-chain.js';
import { FrameStream } from './frame-stream.js';

const runtime = new VirtualRuntime();
const sealer = sampleSealer(runtime);

/** Commits of two pages each, every one in a fragment of its own. */
function fragmentsOf(commits: number): Buffer[] {
  const sample = new SampleDatabase();
  let digest = chainStart;
  return Array.from({ length: commits }, (_, index) => {
    const pages = [1, 2].map((page) => [page, pageOf(`page ${page} of commit ${index + 1}`)] as const);
    const bytes = encodeFragment(sealer, databaseA, 1, digest, [sample.write(2, new Map(pages))]);
    digest = fragmentDigest(bytes);
    return bytes;
  });
}

/** A stream over fragments that are stored now, and of which there may be others later. */
function streamOf(stored: readonly Buffer[]): FrameStream {
  async function* after(from: ChainStart): AsyncGenerator<SealedFragment> {
    let end = from;
    for (const [index, bytes] of stored.entries()) {
      if (index + 1 <= from.commit) continue;
      const fragment = nextFragment('the test', bytes, fragmentDigest(bytes), end, [databaseA]);
      end = fragmentEnd(fragment);
      yield await Promise.resolve(fragment);
    }
  }
  return new FrameStream(
    { runtime, sealer: () => sealer, fragmentsAfter: after },
    { commit: 0, commitTimeMs: 0, chainDigest: chainStart },
  );
}

describe('frames after a generation', () => {
  it('are read in any part, and go on as commits come', async () => {
    const all = fragmentsOf(6);
    const stored = all.slice(0, 4);
    const stream = streamOf(stored);
    expect(await runtime.run(stream.end())).toEqual({ total: 8, commit: 4 });
    const { frames } = await runtime.run(stream.read(4, 3));
    expect(frames.map(({ page, databasePages }) => [page, databasePages])).toEqual([
      [2, 2],
      [1, 0],
      [2, 2],
    ]);
    stored.push(...all.slice(4));
    expect(await runtime.run(stream.end())).toEqual({ total: 12, commit: 6 });
  });

  it('end where the next generation begins, though more was read before there was one', async () => {
    const stored = fragmentsOf(5);
    const stream = streamOf(stored);
    expect(await runtime.run(stream.end())).toEqual({ total: 10, commit: 5 });
    await runtime.run(stream.read(10, 1));
    // The generation holds three commits; an archive has these, and the rest follows the generation.
    stored.length = 3;
    stream.endAt(3);
    expect(await runtime.run(stream.end())).toEqual({ total: 6, commit: 3 });
    expect((await runtime.run(stream.read(5, 9))).frames).toHaveLength(2);
    expect((await runtime.run(stream.read(7, 9))).frames).toEqual([]);
  });

  it('end there for a read, too, that was under way', async () => {
    const stored = fragmentsOf(5);
    const stream = streamOf(stored);
    const reading = stream.end();
    stream.endAt(3);
    await runtime.run(reading);
    stored.length = 3;
    expect(await runtime.run(stream.end())).toEqual({ total: 6, commit: 3 });
  });
});
