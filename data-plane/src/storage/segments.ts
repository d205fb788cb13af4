import { ByocError } from '../errors/catalogue.js';
import { dataKeyNumberOf, sealingOverheadBytes, type Sealer, type SealedPosition } from '../keys/sealing.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { Turns } from '../turns.js';
import { readWithRetry, writeOnce } from './conditional-write.js';
import { segmentBundleKey, type SegmentReference } from './generation.js';
import { hashing, joining } from './long-buffers.js';
import { segmentBundleName } from './object-names.js';

const maxBundleBytes = 8 * 1024 * 1024;

/** What a segment is sealed for. */
export const segmentPosition = (term: number, generation: number, segment: number): SealedPosition => ({
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
  readonly #turns: Turns;

  constructor(
    private readonly runtime: Runtime,
    private readonly store: ObjectStore,
    private readonly sealer: Sealer,
    private readonly term: number,
    private readonly generation: number,
  ) {
    this.#turns = new Turns(runtime, 'background');
  }

  async add(segment: number, plaintext: Uint8Array): Promise<void> {
    const sealed = Buffer.allocUnsafe(plaintext.byteLength + sealingOverheadBytes);
    const position = segmentPosition(this.term, this.generation, segment);
    await this.#turns.run(this.sealer.sealInto(sealed, 0, position, [plaintext]));
    if (this.#bytes + sealed.length > maxBundleBytes) await this.#flush();
    const digest = (await this.#turns.run(hashing(sealed))).toString('hex');
    const key = dataKeyNumberOf(sealed);
    const place = [this.term, this.generation, this.#bundle, this.#bytes, sealed.length, digest, key] as const;
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
    const bundle = await this.#turns.run(joining(this.#parts));
    await writeOnce(this.runtime, this.store, key, bundle);
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
      last[7] === reference[7] &&
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

/**
 * Reads and opens runs of segments. Any number may be read at once, but one is opened after the other: if all went on by
 * turns they would all be opened at the same moment, and meanwhile nothing would be read, and before that nothing opened.
 */
export class SegmentReader {
  readonly #turns: Turns;
  #opened: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly runtime: Runtime,
    private readonly store: ObjectStore,
    private readonly sealer: Sealer,
  ) {
    this.#turns = new Turns(runtime, 'background');
  }

  /** The segments of a run, in order. Throws `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT`. */
  async read(run: SegmentRun): Promise<Buffer[]> {
    const [first, last] = [run.references[0], run.references.at(-1)];
    if (!first || !last) return [];
    const key = segmentBundleKey(this.sealer.line, first);
    const source = this.sealer.at(first[7] ?? 0, `object ${key}`);
    const length = last[3] + last[4] - first[3];
    const bytes = await readWithRetry(this.runtime, key, () => this.store.getRange(key, first[3], length));
    if (!bytes) throw new ByocError('STORE_OBJECT_MISSING', `object ${key} is missing`);
    if (bytes.length !== length) throw new ByocError('STORE_OBJECT_CORRUPT', `object ${key} is truncated`);
    const open = async (): Promise<Buffer[]> => this.#open(source, run, key, bytes);
    const opened = this.#opened.then(open, open);
    this.#opened = opened;
    return opened;
  }

  async #open(source: Sealer, run: SegmentRun, key: string, bytes: Buffer): Promise<Buffer[]> {
    const start = run.references[0]?.[3] ?? 0;
    const segments: Buffer[] = [];
    for (const [index, [term, generation, , offset, sealedLength]] of run.references.entries()) {
      const position = segmentPosition(term, generation, run.firstSegment + index);
      const sealed = bytes.subarray(offset - start, offset - start + sealedLength);
      segments.push(await this.#turns.run(source.opening(position, sealed, key)));
    }
    return segments;
  }
}
