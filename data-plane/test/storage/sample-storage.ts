import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseFile } from '../../src/engine/pool/database-file.js';
import type { DatabaseId, NodeEpoch } from '../../src/identity.js';
import type { Sealer } from '../../src/keys/sealing.js';
import type { LocalObjectStore } from '../../src/object-store/local-object-store.js';
import type { ObjectStore } from '../../src/object-store/object-store.js';
import { systemRuntime, type Runtime } from '../../src/runtime.js';
import { emptyDatabaseImage } from '../../src/storage/empty-database.js';
import { fold, type FoldInput } from '../../src/storage/fold.js';
import { chainStart, encodeFragment, fragmentDigest, type FragmentDigest } from '../../src/storage/fragment.js';
import { openingFragment, type TailFragment } from '../../src/storage/fragment-chain.js';
import type { Generation } from '../../src/storage/generation.js';
import { fragmentLocation, type FragmentLocation, type LogRange } from '../../src/storage/log-location.js';
import { encodeLogObject } from '../../src/storage/log-object.js';
import type { GenerationReference, Manifest } from '../../src/storage/manifest.js';
import type { Moment } from '../../src/storage/moment.js';
import { restoreAt } from '../../src/storage/restore-point.js';
import { SingleLogStore } from '../../src/storage/log-store/single-log-store.js';
import { logObjectName } from '../../src/storage/object-names.js';
import { chainPoint, restore, type RestoredDatabase, type RestoreInput } from '../../src/storage/restore.js';
import { readTail } from '../../src/storage/tail.js';
import { atOnce } from '../../src/turns.js';
import { temporaryDirectory, temporaryStore } from '../temporary-store.js';
import { databaseA, epochA, SampleDatabase, sampleSealer } from './sample-database.js';
import { sampleManifest } from './sample-manifest.js';

/** A sample database in real stores: logged fragment by fragment, folded and restored as its owners would do it. */
export class SampleStorage {
  readonly sample = new SampleDatabase(emptyDatabaseImage(0));
  readonly sealer: Sealer;
  readonly logs: SingleLogStore;
  term = 1;
  epoch: NodeEpoch = epochA;
  generation: { reference: GenerationReference; generation: Generation } | undefined;
  ranges: LogRange[] = [];
  #position = 0;
  #loggedCommits = 0;
  #chainDigest: FragmentDigest = chainStart;
  #nextGeneration = 1;
  #restores = 0;

  private constructor(
    readonly dataStore: LocalObjectStore,
    readonly logStore: LocalObjectStore,
    private readonly directory: string,
    readonly database: DatabaseId,
    readonly runtime: Runtime,
  ) {
    this.sealer = sampleSealer(runtime, database);
    this.logs = new SingleLogStore(runtime, logStore);
  }

  static async create(database: DatabaseId = databaseA, runtime: Runtime = systemRuntime): Promise<SampleStorage> {
    const directory = await temporaryDirectory();
    return new SampleStorage(await temporaryStore(), await temporaryStore(), directory, database, runtime);
  }

  /** Logs the commits that are not logged yet as one fragment in one log object. */
  async log(): Promise<FragmentLocation> {
    const commits = this.sample.commits.slice(this.#loggedCommits);
    const bytes = encodeFragment(this.sealer, this.database, this.term, this.#chainDigest, commits);
    const [firstCommit, lastCommit] = [this.#loggedCommits + 1, this.sample.commits.length];
    const object = encodeLogObject([{ database: this.database, term: this.term, firstCommit, lastCommit, bytes }]);
    const position = this.#position++;
    await this.logStore.put(logObjectName(this.epoch, position), object.bytes, { ifAbsent: true });
    this.#chainDigest = fragmentDigest(bytes);
    this.#loggedCommits = lastCommit;
    const [entry] = object.index;
    if (!entry) throw new Error('no fragment');
    const location = fragmentLocation(position, entry);
    const range = this.ranges.at(-1);
    if (range?.epoch === this.epoch && range.term === this.term) {
      this.ranges[this.ranges.length - 1] = { ...range, fragments: [...range.fragments, location] };
    } else {
      this.ranges.push({ epoch: this.epoch, term: this.term, fragments: [location] });
    }
    return location;
  }

  /** Another epoch takes over. */
  changeOwner(epoch: NodeEpoch): void {
    this.term += 1;
    this.epoch = epoch;
    this.#position = 0;
  }

  async tail(): Promise<TailFragment[]> {
    const from = chainPoint(this.generation?.generation);
    const fragments: TailFragment[] = [];
    const stores = { runtime: this.runtime, dataStore: this.dataStore, logStore: this.logs };
    for await (const fragment of readTail(stores, this.database, from, this.ranges)) {
      fragments.push(atOnce(openingFragment(this.sealer, fragment)));
    }
    return fragments;
  }

  /** Folds the first `count` fragments of the tail. */
  async fold(count = Infinity, store: ObjectStore = this.dataStore): Promise<Generation> {
    const fragments = (await this.tail()).slice(0, count);
    const input: FoldInput = {
      runtime: this.runtime,
      store,
      sealer: this.sealer,
      reservedBytes: 0,
      ...(this.generation && { base: this.generation }),
      term: this.term,
      number: this.#nextGeneration++,
      fragments,
    };
    this.generation = await fold(input);
    return this.generation.generation;
  }

  /** The restored file and what restore says of it. */
  async restore(changes: Partial<RestoreInput> = {}): Promise<{ image: Buffer; restored: RestoredDatabase }> {
    const path = join(this.directory, `restored-${this.#restores++}`);
    const restored = await restore(await DatabaseFile.create(path), {
      runtime: this.runtime,
      dataStore: this.dataStore,
      logStore: this.logs,
      sealer: this.sealer,
      reservedBytes: 0,
      generation: this.generation?.reference,
      ranges: this.ranges,
      ...changes,
    });
    const image = await readFile(path);
    await rm(path);
    return { image, restored };
  }

  /** The manifest as its owner would have it. */
  get manifest(): Manifest {
    return sampleManifest({
      id: this.database,
      createdAtMs: 1_000,
      term: this.term,
      owner: this.epoch,
      ...(this.generation && { generation: this.generation.reference }),
    });
  }

  /** The file as it was at a moment. `manifest` changes what the manifest says. */
  async restoreAt(moment: Moment, manifest: Partial<Manifest> = {}, store?: ObjectStore): Promise<Buffer> {
    const path = join(this.directory, `restored-${this.#restores++}`);
    const input = {
      runtime: this.runtime,
      dataStore: store ?? this.dataStore,
      logStore: this.logs,
      sealer: this.sealer,
      manifest: { ...this.manifest, ...manifest },
      ranges: this.ranges,
    };
    try {
      await restoreAt(await DatabaseFile.create(path), input, moment);
      return await readFile(path);
    } finally {
      await rm(path);
    }
  }
}
