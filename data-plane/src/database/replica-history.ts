/**
 * How replicas count: generations, and frames within them.
 *
 * A generation of a replica begins with a stored generation of the database, and has its height as its number, above a base
 * that comes from the id of the database: files of a replica of another database, one that had the same name before for
 * example, are known by their number. Its frames are the commits that follow, without end: the stored generations that come
 * after it do not end it, so that a replica that has writes of its own can go on where it is. One that has none is sent on to
 * the next generation when it is exactly where that begins.
 */
import { ByocError } from '../errors/catalogue.js';
import { readArchive } from '../storage/archive.js';
import { FrameStream, type Frame } from '../storage/frame-stream.js';
import type { ChainPoint, SealedFragment } from '../storage/fragment-chain.js';
import { generationAt, type NamedGeneration } from '../storage/generation-at.js';
import { databaseAt, readGeneration, sha256, type Generation } from '../storage/generation.js';
import type { GenerationReference } from '../storage/manifest.js';
import { archiveName } from '../storage/object-names.js';
import { chainPoint } from '../storage/restore.js';
import { earliestMoment } from '../storage/restore-point.js';
import { readUnfolded } from '../storage/unfolded.js';
import type { NodeContext } from './node-context.js';
import { holdUnfoldedRanges, type OwnedDatabase } from './ready-database.js';

/** Generations that one database can have. Clients keep the number in 32 bits. */
const generationBits = 20;
const mostStreams = 8;
/** A replica that wrote before it ever synchronized counts from here. */
export const unsynchronizedGeneration = 1;

/** A place in the history of a database. */
export interface ReplicaPlace {
  /** Height of the stored generation; −1 for the empty database. */
  readonly height: number;
  /** Frames after it. */
  readonly frames: number;
}

/** Where the history ends now. */
export interface ReplicaTip extends ReplicaPlace {
  readonly commit: number;
}

export class ReplicaHistory {
  readonly #context: NodeContext;
  readonly #owned: () => OwnedDatabase;
  readonly #streams = new Map<number, FrameStream>();
  #latest: NamedGeneration | undefined;

  constructor(context: NodeContext, owned: () => OwnedDatabase) {
    this.#context = context;
    this.#owned = owned;
  }

  get #base(): number {
    const digest = sha256(Buffer.from(this.#owned().owned.manifest.id));
    // From 2^20 to 2^31.
    return (1 + (digest.readUInt16BE(0) % 2047)) * 2 ** generationBits;
  }

  /** The number of the present generation. Throws `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT`. */
  async currentGeneration(): Promise<number> {
    return this.numberOf(await this.#height());
  }

  numberOf(height: number): number {
    return this.#base + height + 2;
  }

  /** Throws `REPLICA_UNKNOWN_POSITION` for a number that is none of this database's. */
  async heightOf(generation: number): Promise<number> {
    const height = generation - this.#base - 2;
    if (height < -1 || height > (await this.#height()))
      throw unknown(`generation ${generation} is not one of this database`);
    return height;
  }

  /** The stored generation of a height; undefined for the empty database. Throws `REPLICA_UNKNOWN_POSITION`. */
  async generation(height: number): Promise<Generation | undefined> {
    return (await this.#named(height))?.generation;
  }

  /** Throws as `heightOf` does when the place is beyond the end, or in what is not kept any more. */
  async read(place: ReplicaPlace, count: number): Promise<readonly Frame[]> {
    const stream = await this.#stream(place.height);
    return (await stream.read(place.frames + 1, count)).frames;
  }

  /** Frames of one stored generation, up to the next one or to the end. */
  async framesIn(height: number): Promise<{ readonly total: number; readonly commit: number }> {
    return (await this.#stream(height)).end();
  }

  async tip(): Promise<ReplicaTip> {
    const height = await this.#height();
    const { total, commit } = await this.framesIn(height);
    // A fold may have come between.
    if (height !== (await this.#height())) return this.tip();
    return { height, frames: total, commit };
  }

  /**
   * The same place, counted from the last stored generation before it; of two that it can be counted from the later one when
   * `onward`. Throws `REPLICA_UNKNOWN_POSITION` when it is beyond the end.
   */
  async settled(place: ReplicaPlace, onward: boolean): Promise<ReplicaPlace> {
    const current = await this.#height();
    let { height, frames } = place;
    while (height < current) {
      const { total } = await this.framesIn(height);
      if (frames < total || (frames === total && !onward)) break;
      frames -= total;
      height += 1;
    }
    return { height, frames };
  }

  forget(): void {
    for (const stream of this.#streams.values()) stream.forget();
  }

  async #height(): Promise<number> {
    return (await this.#present())?.generation.height ?? -1;
  }

  async #present(): Promise<NamedGeneration | undefined> {
    const { generation: reference } = this.#owned().owned.manifest;
    if (!reference) return undefined;
    if (this.#latest?.reference.digest !== reference.digest) {
      this.#latest = { reference, generation: await this.#read(reference) };
    }
    return this.#latest;
  }

  async #named(height: number): Promise<NamedGeneration | undefined> {
    const present = await this.#present();
    const { manifest } = this.#owned().owned;
    const earliest = earliestMoment(manifest).commit;
    if (height < 0) {
      if (present && (manifest.horizon || manifest.parent)) throw gone();
      return undefined;
    }
    const found =
      present && (await generationAt(present, height, earliest, async (reference) => this.#read(reference)));
    if (!found) throw gone();
    return found;
  }

  async #read(reference: GenerationReference): Promise<Generation> {
    const { runtime, dataStore } = this.#context;
    return readGeneration(runtime, dataStore, this.#owned().unlocked.sealer, reference);
  }

  async #stream(height: number): Promise<FrameStream> {
    const stream = this.#streams.get(height) ?? (await this.#newStream(height));
    if (!stream.isEnded && height < (await this.#height())) {
      const next = await this.#named(height + 1);
      if (next) stream.endAt(chainPoint(next.generation).commit);
    }
    return stream;
  }

  async #newStream(height: number): Promise<FrameStream> {
    const start = chainPoint(await this.generation(height));
    const stream = new FrameStream(
      {
        runtime: this.#context.runtime,
        sealer: () => this.#owned().unlocked.sealer,
        fragmentsAfter: (from) => this.#fragmentsAfter(height, from),
      },
      start,
    );
    const [oldest] = this.#streams.keys();
    if (this.#streams.size >= mostStreams && oldest !== undefined) this.#streams.delete(oldest);
    this.#streams.set(height, stream);
    return stream;
  }

  async *#fragmentsAfter(height: number, from: ChainPoint): AsyncGenerator<SealedFragment> {
    const { runtime, dataStore, logStore } = this.#context;
    const { owned, unlocked } = this.#owned();
    const { line } = unlocked.sealer;
    if (height < (await this.#height())) {
      const next = await this.#named(height + 1);
      if (!next) return;
      const { term, number } = next.reference;
      yield* readArchive(runtime, dataStore, line, archiveName(databaseAt(line, next.reference), term, number), from);
      return;
    }
    const { carried } = owned.manifest;
    const { ranges, release } = holdUnfoldedRanges(this.#context, owned.manifest);
    try {
      yield* readUnfolded({ runtime, dataStore, logStore, line, carried, ranges }, from);
    } finally {
      release();
    }
  }
}

function unknown(what: string): ByocError {
  return new ByocError('REPLICA_UNKNOWN_POSITION', `${what}; the replica was made of another one, or is too old`);
}

function gone(): ByocError {
  return unknown('the history from where the replica is was kept only for a time, and is gone');
}
