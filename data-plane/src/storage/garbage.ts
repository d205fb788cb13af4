/**
 * What of a database's objects is garbage. An object is kept when a kept generation or a pin leads to it; it is garbage
 * only when it was found below the database's own prefix, is older than everything that may still be written, and nothing
 * that is kept leads to it.
 *
 * Segments never come back: a generation takes a segment over from the one before or writes a new one. So whatever any
 * kept generation shares with one before the horizon, the generation at the horizon refers to as well.
 */
import type { DatabaseId } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import {
  listCount,
  readGenerationWithoutKey,
  readSegmentList,
  segmentBundleKey,
  segmentListKey,
} from './generation.js';
import { findPlace } from './history.js';
import { listKeys } from './list-keys.js';
import { lineOf, type GenerationReference, type Manifest } from './manifest.js';
import {
  carriedFragmentsName,
  garbageListName,
  generationName,
  objectsPrefix,
  termAndGeneration,
} from './object-names.js';
import { StoredJson } from './stored-json.js';

/** Keys of objects to be deleted. */
export const storedGarbage = new StoredJson<{ readonly keys: readonly string[] }>('turso-byoc/garbage/1', {
  type: 'object',
  properties: { keys: { type: 'array', items: { type: 'string', maxLength: 900 } } },
  required: ['keys'],
  additionalProperties: false,
});

export interface GarbageInput {
  readonly runtime: Runtime;
  readonly dataStore: ObjectStore;
  readonly manifest: Manifest;
}

/** What a collection decides. */
export interface Garbage {
  readonly keys: readonly string[];
  /** Databases of the line whose objects are still needed, by their place in it. */
  readonly sources: ReadonlySet<number>;
  /** Of the database's own data keys those that the oldest kept generation, or a pinned one, is sealed under. */
  readonly ownKeys: ReadonlySet<number>;
}

/** The objects of one generation and, through it, of its line. */
class Reached {
  readonly keys = new Set<string>();
  readonly sources = new Set<number>();
  readonly ownKeys = new Set<number>();

  constructor(
    private readonly input: GarbageInput,
    private readonly line: readonly DatabaseId[],
  ) {}

  async add(reference: GenerationReference): Promise<void> {
    const { runtime, dataStore } = this.input;
    const generation = await readGenerationWithoutKey(runtime, dataStore, this.line, reference);
    this.keys.add(generationName(generation.database, reference.term, reference.number));
    this.sources.add(reference.source ?? 0);
    for (const [source, key] of generation.imageKeys) if (source === this.line.length - 1) this.ownKeys.add(key);
    for (const list of generation.lists ?? []) {
      this.keys.add(segmentListKey(this.line, list));
      this.sources.add(list.source ?? 0);
    }
    for (let list = 0; list < listCount(generation); list++) {
      for (const segment of await readSegmentList(runtime, dataStore, this.line, generation, list)) {
        this.keys.add(segmentBundleKey(this.line, segment));
        this.sources.add(segment[7] ?? 0);
      }
    }
  }
}

/** The generation that going back to `sinceMs` begins with: the last one that is not younger. */
export async function horizonAt(
  { runtime, dataStore, manifest }: GarbageInput,
  sinceMs: number,
): Promise<GenerationReference | undefined> {
  const { generation, horizon } = manifest;
  if (!generation || (horizon && horizon.commitTimeMs > sinceMs)) return horizon;
  const line = lineOf(manifest);
  const { base } = await findPlace(
    generation,
    ({ commitTimeMs }) => commitTimeMs > sinceMs,
    async (reference) => readGenerationWithoutKey(runtime, dataStore, line, reference),
  );
  return base ?? horizon;
}

/**
 * The garbage of a database whose manifest has its horizon and its pins as they are to be. What crashed folds left is
 * found once, between the number that was swept last and the present generation's.
 */
export async function findGarbage(input: GarbageInput): Promise<Garbage> {
  const { manifest } = input;
  const line = lineOf(manifest);
  const own = line.length - 1;
  const isGone = manifest.deletedAtMs !== undefined && manifest.collected === true;
  const reached = new Reached(input, line);
  const isOwn = (reference: GenerationReference | undefined): reference is GenerationReference =>
    reference !== undefined && (reference.source ?? 0) === own;

  for (const pin of manifest.pins ?? []) await reached.add(pin.generation);
  const oldest = manifest.horizon ?? manifest.generation;
  if (!isGone && oldest) await reached.add(oldest);
  // What leads to the first generation of its own is needed as long as going back there is possible.
  if (!isGone && !isOwn(manifest.horizon)) line.forEach((_, source) => reached.sources.add(source));
  const orphans = isGone ? undefined : await findOrphans(input, line, own);
  // Everything of generations before this number is known to be needed or not.
  const before = isGone ? Infinity : isOwn(manifest.horizon) ? manifest.horizon.number : 0;

  const kept = new Set<string>();
  if (!isGone && manifest.carried) kept.add(carriedFragmentsName(manifest.id, manifest.carried.attempt));
  if (manifest.garbage) kept.add(garbageListName(manifest.id, manifest.garbage.attempt));
  const keys: string[] = [];
  for await (const key of listKeys(input.runtime, input.dataStore, objectsPrefix(manifest.id))) {
    if (reached.keys.has(key) || kept.has(key)) continue;
    const place = termAndGeneration(key);
    if (!place) {
      keys.push(key);
      continue;
    }
    const isOld = place.generation < before;
    const isOrphan = orphans?.(place.term, place.generation) === true;
    if (isOld || isOrphan || isGivenUp(manifest, place)) keys.push(key);
  }
  return { keys, sources: reached.sources, ownKeys: reached.ownKeys };
}

/** Whether an object belongs to an upload that is not the present one of a database that awaits its file. */
function isGivenUp({ awaitedFile }: Manifest, place: { readonly term: number; readonly generation: number }): boolean {
  if (!awaitedFile) return false;
  const { upload } = awaitedFile;
  return upload?.term !== place.term || upload.number !== place.generation;
}

/**
 * Tells whether a term and generation belong to a fold that came to nothing. Only numbers between the one that was swept
 * last and the present generation's are judged: numbers rise along the history, and every fold takes one above the present
 * one. Below it only owners that were overtaken may still be writing, and no manifest will ever name what they write.
 */
async function findOrphans(
  { runtime, dataStore, manifest }: GarbageInput,
  line: readonly DatabaseId[],
  own: number,
): Promise<((term: number, generation: number) => boolean) | undefined> {
  const { generation: latest, horizon, sweptUpTo = 0, term: presentTerm } = manifest;
  if (!latest || (latest.source ?? 0) !== own) return undefined;
  const history = new Set<string>();
  for (let reference: GenerationReference | undefined = latest; reference && (reference.source ?? 0) === own;) {
    history.add(`${reference.term}/${reference.number}`);
    if (reference.number <= sweptUpTo || (horizon && reference.commit <= horizon.commit)) break;
    [reference] = (await readGenerationWithoutKey(runtime, dataStore, line, reference)).earlier;
  }
  return (term, generation) =>
    term <= presentTerm &&
    generation > sweptUpTo &&
    generation < latest.number &&
    !history.has(`${term}/${generation}`);
}
