import { ByocError } from '../errors/catalogue.js';
import type { Sealer, SealedPosition } from '../keys/sealing.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite, readWithRetry } from './conditional-write.js';
import { segmentBundleKey, sha256, type SegmentReference } from './generation.js';
import { segmentBundleName } from './object-names.js';

const maxBundleBytes = 8 * 1024 * 1024;

const segmentPosition = (term: number, generation: number, segment: number): SealedPosition => ({
  kind: 'segment',
  term,
  numbers: [generation, segment],
});

/** Writes the new segments of one generation, several to an object. */
export class SegmentWriter {
  readonly #references = new Map<number, SegmentReference>();
  #parts: Buffer[] = [];
  #bytes = 0;
  #bundle = 0;

  constructor(
    private readonly runtime: Runtime,
    private readonly store: ObjectStore,
    private readonly sealer: Sealer,
    private readonly term: number,
    private readonly generation: number,
  ) {}

  async add(segment: number, plaintext: Uint8Array): Promise<void> {
    const sealed = this.sealer.seal(segmentPosition(this.term, this.generation, segment), plaintext);
    if (this.#bytes + sealed.length > maxBundleBytes) await this.#flush();
    const digest = sha256(sealed).toString('hex');
    const place = [this.term, this.generation, this.#bundle, this.#bytes, sealed.length, digest] as const;
    const { source } = this.sealer;
    this.#references.set(segment, source === 0 ? place : [...place, source]);
    this.#parts.push(sealed);
    this.#bytes += sealed.length;
  }

  /** Stores what is left; returns where each new segment lies. */
  async finish(): Promise<ReadonlyMap<number, SegmentReference>> {
    await this.#flush();
    return this.#references;
  }

  async #flush(): Promise<void> {
    if (this.#bytes === 0) return;
    const key = segmentBundleName(this.sealer.database, this.term, this.generation, this.#bundle);
    const written = await conditionalWrite(this.runtime, this.store, key, Buffer.concat(this.#parts), {
      ifAbsent: true,
    });
    if (!written.won) throw new Error(`object ${key} was written by someone else`);
    this.#bundle += 1;
    this.#parts = [];
    this.#bytes = 0;
  }
}

/** Consecutive segments that lie behind each other in one bundle, so that one read gets them. */
export interface SegmentRun {
  readonly firstSegment: number;
  readonly references: readonly SegmentReference[];
}

const maxRunBytes = 4 * 1024 * 1024;

/** Splits a list of segments into runs of at most 4 MiB. `first` is the number of the first segment. */
export function segmentRuns(references: readonly SegmentReference[], first: number): SegmentRun[] {
  const runs: { firstSegment: number; references: SegmentReference[] }[] = [];
  let bytes = 0;
  references.forEach((reference, index) => {
    const run = runs.at(-1);
    const last = run?.references.at(-1);
    const follows =
      last &&
      last[0] === reference[0] &&
      last[1] === reference[1] &&
      last[2] === reference[2] &&
      last[6] === reference[6] &&
      last[3] + last[4] === reference[3] &&
      bytes + reference[4] <= maxRunBytes;
    if (run && follows) {
      run.references.push(reference);
      bytes += reference[4];
    } else {
      runs.push({ firstSegment: first + index, references: [reference] });
      bytes = reference[4];
    }
  });
  return runs;
}

/** Reads and opens the segments of a run, in order. Throws `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT`. */
export async function readSegmentRun(
  runtime: Runtime,
  store: ObjectStore,
  sealer: Sealer,
  run: SegmentRun,
): Promise<Buffer[]> {
  const [first, last] = [run.references[0], run.references.at(-1)];
  if (!first || !last) return [];
  const key = segmentBundleKey(sealer.line, first);
  const source = sealer.at(first[6] ?? 0, `object ${key}`);
  const length = last[3] + last[4] - first[3];
  const bytes = await readWithRetry(runtime, key, () => store.getRange(key, first[3], length));
  if (!bytes) throw new ByocError('STORE_OBJECT_MISSING', `object ${key} is missing`);
  if (bytes.length !== length) throw new ByocError('STORE_OBJECT_CORRUPT', `object ${key} is truncated`);
  return run.references.map(([term, generation, , offset, sealedLength], index) =>
    source.open(
      segmentPosition(term, generation, run.firstSegment + index),
      bytes.subarray(offset - first[3], offset - first[3] + sealedLength),
      key,
    ),
  );
}
