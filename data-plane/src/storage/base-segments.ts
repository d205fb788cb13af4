/** The segments of the generation that a fold starts from, as far as one segment list goes. */
import type { Sealer } from '../keys/sealing.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { emptyDatabaseImage } from './empty-database.js';
import type { SegmentReference } from './generation.js';
import { SegmentReader, segmentRuns } from './segments.js';

export interface BaseOfFold {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  readonly sealer: Sealer;
  readonly reservedBytes: number;
  /** Absent for a database that has no generation yet. */
  readonly base?: object;
}

/** Neighbours that are read at once: 4 MiB. */
const readAhead = 32;

export class BaseSegments {
  readonly #input: BaseOfFold;
  readonly #references: readonly SegmentReference[];
  readonly #first: number;
  readonly #reader: SegmentReader;
  /** Read ahead, by their number. */
  readonly #ahead = new Map<number, Buffer>();

  /** `references`: those of one list; `first`: number of the first of them. */
  constructor(input: BaseOfFold, references: readonly SegmentReference[], first: number) {
    this.#input = input;
    this.#references = references;
    this.#first = first;
    this.#reader = new SegmentReader(input.runtime, input.store, input.sealer);
  }

  /** Content of a segment; one that the base does not have is empty. Throws `STORE_OBJECT_MISSING`, `STORE_OBJECT_CORRUPT`. */
  async read(segment: number, withNeighbours: boolean): Promise<Buffer> {
    const { base, reservedBytes } = this.#input;
    if (base === undefined) return segment === 0 ? emptyDatabaseImage(reservedBytes) : Buffer.alloc(0);
    const at = segment - this.#first;
    const wanted = this.#references.slice(at, at + (withNeighbours ? readAhead : 1));
    if (wanted.length === 0) return Buffer.alloc(0);
    const ahead = this.#ahead.get(segment);
    if (ahead) {
      this.#ahead.delete(segment);
      return ahead;
    }
    const [run] = segmentRuns(wanted, segment);
    if (!run) return Buffer.alloc(0);
    const [content, ...neighbours] = await this.#reader.read(run);
    this.#ahead.clear();
    neighbours.forEach((neighbour, index) => this.#ahead.set(segment + 1 + index, neighbour));
    return content as Buffer;
  }
}
