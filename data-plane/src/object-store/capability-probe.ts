/**
 * Finds out by doing whether a store keeps what it promises. A store that says yes to every conditional write looks
 * perfectly healthy until two nodes own the same database; there are several such, and versions of others.
 *
 * Everything is written below `probe/<random>/` and removed again. What a probe that died left behind harms nobody.
 */
import { ByocError } from '../errors/catalogue.js';
import type { Runtime } from '../runtime.js';
import { OutcomeUnknownError, StoreUnavailableError, type ETag, type ObjectStore } from './object-store.js';

/** Prefix of everything that probes write. */
export const probePrefix = 'probe/';

export const capabilityNames = [
  'readAfterWrite',
  'rangeRead',
  'createIfAbsent',
  'replaceIfUnchanged',
  'orderedList',
  'delete',
] as const;

export type Capability = (typeof capabilityNames)[number];

/** `undefined` when the store has the capability, else a sentence that says what it did. */
export type StoreCapabilities = Readonly<Record<Capability, string | undefined>>;

const racers = 4;
const raceRounds = 3;
const attempts = 3;
const pauseMs = 200;
const absent = { ifAbsent: true } as const;

/** Tries every capability of a store. Throws the store's error when it cannot even be read. */
export async function probeCapabilities(runtime: Runtime, store: ObjectStore): Promise<StoreCapabilities> {
  const directory = `${probePrefix}${runtime.randomBytes(8).toString('hex')}`;
  const probe = new Probe(runtime, store, directory);
  await store.get(`${directory}/absent`);
  const found = {} as Record<Capability, string | undefined>;
  try {
    for (const name of capabilityNames) found[name] = await probe.try(name);
  } finally {
    // Once more, because the try of "delete" may have come to nothing in the middle.
    await probe.cleanUp().catch((error: unknown) => {
      if (!(error instanceof StoreUnavailableError)) throw error;
      found.delete ??= `what was written could not be removed: ${error.message}`;
    });
  }
  return found;
}

/**
 * Throws `STORE_INCAPABLE` when the store lacks something that is needed of it.
 *
 * @param where - The store, as a reader knows it.
 */
export function assertCapable(where: string, found: StoreCapabilities, needed: readonly Capability[]): void {
  const missing = needed.flatMap((name) => (found[name] === undefined ? [] : [`${name}: ${found[name]}`]));
  if (missing.length === 0) return;
  throw new ByocError('STORE_INCAPABLE', `the store ${where} cannot be used. ${missing.join('. ')}`);
}

/** A store did something else than it should; the message says what. */
class Violation extends Error {}

function must(holds: boolean, whatItDid: string): void {
  if (!holds) throw new Violation(whatItDid);
}

class Probe {
  readonly #written = new Set<string>();

  constructor(
    private readonly runtime: Runtime,
    private readonly store: ObjectStore,
    private readonly directory: string,
  ) {}

  /** What is wrong with a capability. Trouble that may pass is given another chance, under other names. */
  async try(capability: Capability): Promise<string | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this[capability](`${this.directory}/${capability}-${attempt}`);
        return undefined;
      } catch (error) {
        if (error instanceof Violation) return error.message;
        if (!(error instanceof StoreUnavailableError || error instanceof OutcomeUnknownError)) throw error;
        if (attempt === attempts) return `it could not be tried: ${error.message}`;
      }
      await this.runtime.sleep(pauseMs);
    }
  }

  async cleanUp(): Promise<void> {
    for (const key of this.#written) await this.store.delete(key);
  }

  async readAfterWrite(key: string): Promise<void> {
    const etag = await this.#create(key, 'written');
    const read = await this.store.get(key);
    must(read?.body.toString() === 'written', 'a new object is not there when it is read at once');
    must(read?.etag === etag, 'reading gives another ETag than writing did');
    must((await this.store.get(`${key}-absent`)) === undefined, 'an object is there that nobody wrote');
  }

  async rangeRead(key: string): Promise<void> {
    await this.#create(key, '0123456789');
    must((await this.store.getRange(key, 3, 4))?.toString() === '3456', 'a range gives other bytes');
    must((await this.store.getRange(key, 8, 10))?.toString() === '89', 'a range at the end gives other bytes');
  }

  async createIfAbsent(key: string): Promise<void> {
    const etag = await this.#create(key, 'first');
    const second = await this.store.put(key, Buffer.from('second'), absent);
    const read = await this.store.get(key);
    must(!second.won, 'a second create-if-absent (If-None-Match: *) of the same object succeeded');
    must(read?.body.toString() === 'first' && read.etag === etag, 'a create-if-absent that lost changed the object');
    for (let round = 0; round < raceRounds; round++) await this.#race(`${key}-race-${round}`, 'creates', absent);
  }

  async replaceIfUnchanged(key: string): Promise<void> {
    const first = await this.#create(key, 'first');
    const replaced = await this.store.put(key, Buffer.from('second'), { ifMatch: first });
    must(replaced.won, 'a replace-if-unchanged (If-Match) of an unchanged object was refused');
    const stale = await this.store.put(key, Buffer.from('third'), { ifMatch: first });
    must(!stale.won, 'a replace-if-unchanged (If-Match) with an old ETag succeeded');
    must((await this.store.get(key))?.body.toString() === 'second', 'a replacement that lost changed the object');
    const gone = `${key}-absent`;
    this.#written.add(gone);
    const resurrected = await this.store.put(gone, Buffer.from('x'), { ifMatch: first });
    must(
      !resurrected.won && (await this.store.get(gone)) === undefined,
      'a replace-if-unchanged (If-Match) created an object that was not there',
    );
    for (let round = 0; round < raceRounds; round++) {
      const raced = `${key}-race-${round}`;
      await this.#race(raced, 'replacements', { ifMatch: await this.#create(raced, 'start') });
    }
  }

  async orderedList(key: string): Promise<void> {
    const keys = ['a', 'a-b', 'a0', 'b'].map((name) => `${key}/${name}`);
    for (const each of [...keys].reverse()) await this.#create(each, 'x');
    const all = await this.store.list(`${key}/`);
    must(all.keys.join() === keys.join(), `a listing gives ${all.keys.join()} for ${keys.join()}`);
    const page = await this.store.list(`${key}/a`, { after: keys[0] as string, limit: 1 });
    must(page.keys.join() === keys[1], 'a listing does not begin where it was asked to');
  }

  async delete(key: string): Promise<void> {
    await this.#create(key, 'x');
    await this.store.delete(key);
    must((await this.store.get(key)) === undefined, 'an object is still there after it was deleted');
    await this.store.delete(key);
  }

  async #create(key: string, text: string): Promise<ETag> {
    this.#written.add(key);
    const result = await this.store.put(key, Buffer.from(text), absent);
    if (!result.won) throw new Violation('creating an object that nobody else writes was refused');
    return result.etag;
  }

  async #race(key: string, what: string, condition: typeof absent | { ifMatch: ETag }): Promise<void> {
    this.#written.add(key);
    const bodies = Array.from({ length: racers }, (_, racer) => Buffer.from(`racer ${racer}`));
    const results = await Promise.all(bodies.map((body) => this.store.put(key, body, condition)));
    const winners = bodies.filter((_, racer) => results[racer]?.won);
    must(winners.length === 1, `${winners.length} of ${racers} ${what} of one object at the same time succeeded`);
    const body = (await this.store.get(key))?.body.toString();
    must(body === winners[0]?.toString(), `of ${what} at the same time, one that lost took effect`);
  }
}
