/**
 * Uses an object store from several sides until the power goes, and checks what a store opened afterwards shows against
 * what was promised before: what was won or read is there, what was lost is not, and nothing is half there.
 */
import type { ETag, ObjectStore, WriteCondition } from '../src/object-store/object-store.js';
import { OutcomeUnknownError, StoreUnavailableError } from '../src/object-store/object-store.js';
import type { SeededRandom } from './seeded-random.js';

interface Write {
  readonly body: Buffer;
  readonly before: Write | undefined;
  /** How many writes deep: 1 for the one that created the object. */
  readonly depth: number;
  outcome: 'pending' | 'won' | 'lost' | 'refused' | 'unknown';
  etag: ETag | undefined;
}

/** What is known of a key that several workers create and replace, and nobody deletes. */
class SharedKey {
  readonly #writes = new Map<string, Write>();
  readonly #byETag = new Map<ETag, Write>();
  #deepestConfirmed: Write | undefined;

  attempt(body: Buffer, condition: WriteCondition): Write {
    const before = 'ifMatch' in condition ? this.#byETag.get(condition.ifMatch) : undefined;
    const write: Write = { body, before, depth: (before?.depth ?? 0) + 1, outcome: 'pending', etag: undefined };
    this.#writes.set(body.toString('hex'), write);
    return write;
  }

  /** A put won or a get returned this version: it must not vanish any more. Returns what is wrong, if anything. */
  confirm(body: Buffer, etag: ETag): string | undefined {
    const write = this.#writes.get(body.toString('hex'));
    if (write === undefined) return `shows ${body.length} bytes that nobody wrote`;
    if (write.outcome === 'lost' || write.outcome === 'refused') return `shows a write that ${write.outcome}`;
    if (write.etag !== undefined && write.etag !== etag) return 'shows one version under two ETags';
    write.etag = etag;
    this.#byETag.set(etag, write);
    if (write.depth > (this.#deepestConfirmed?.depth ?? 0)) this.#deepestConfirmed = write;
    return undefined;
  }

  /** Checks the state that a store opened after the loss of power shows. */
  checkSurvivor(body: Buffer | undefined): string | undefined {
    const confirmed = this.#deepestConfirmed;
    let survivor = body && this.#writes.get(body.toString('hex'));
    if (body !== undefined && survivor === undefined) return `shows ${body.length} bytes that nobody wrote`;
    if (survivor?.outcome === 'lost' || survivor?.outcome === 'refused')
      return `shows a write that ${survivor.outcome}`;
    if (confirmed === undefined) return undefined;
    while (survivor !== undefined && survivor.depth > confirmed.depth) survivor = survivor.before;
    return survivor === confirmed ? undefined : `lost version ${confirmed.depth}`;
  }
}

const sharedKeys = ['shared', 'deep/er/shared'];

export class PowerLossWorkload {
  readonly violations: string[] = [];
  readonly #random: SeededRandom;
  readonly #shared = new Map(sharedKeys.map((key) => [key, new SharedKey()]));
  /** For each key that only one worker uses, every content it may have now; undefined for none. */
  readonly #own = new Map<string, (string | undefined)[]>();
  #bodies = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** Runs until every worker met an error or is through. */
  async run(store: ObjectStore): Promise<void> {
    const workers = [1, 2, 3, 4].map((worker) => this.#untilPowerLoss(() => this.#work(store, worker)));
    await Promise.all(workers);
  }

  async #untilPowerLoss(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof OutcomeUnknownError || error instanceof StoreUnavailableError)) throw error;
    }
  }

  #body(): Buffer {
    const unique = Buffer.from(`body ${this.#bodies++}:`);
    return Buffer.concat([unique, this.#random.bytes(this.#random.below(3) * 200)]);
  }

  async #work(store: ObjectStore, worker: number): Promise<void> {
    for (let step = 0; step < 12; step++) {
      if (this.#random.below(2) === 0) await this.#useShared(store, sharedKeys[this.#random.below(sharedKeys.length)]!);
      else await this.#useOwn(store, `own/${worker}/${this.#random.below(2)}`);
    }
  }

  async #useShared(store: ObjectStore, key: string): Promise<void> {
    const known = this.#shared.get(key)!;
    const object = await store.get(key);
    if (object !== undefined) this.#note(key, known.confirm(object.body, object.etag));
    const condition: WriteCondition = object === undefined ? { ifAbsent: true } : { ifMatch: object.etag };
    const body = this.#body();
    const write = known.attempt(body, condition);
    try {
      const result = await store.put(key, body, condition);
      if (result.won) this.#note(key, known.confirm(body, result.etag));
      write.outcome = result.won ? 'won' : 'lost';
    } catch (error) {
      write.outcome = error instanceof StoreUnavailableError ? 'refused' : 'unknown';
      throw error;
    }
  }

  async #useOwn(store: ObjectStore, key: string): Promise<void> {
    const possible = this.#own.get(key) ?? [undefined];
    const object = await store.get(key);
    const content = object?.body.toString('hex');
    if (!possible.includes(content)) this.#note(key, 'shows what it cannot hold');
    this.#own.set(key, [content]);
    const body = object !== undefined && this.#random.below(3) === 0 ? undefined : this.#body();
    const next = body?.toString('hex');
    try {
      if (body === undefined) await store.delete(key);
      else {
        const condition = object === undefined ? ({ ifAbsent: true } as const) : { ifMatch: object.etag };
        if (!(await store.put(key, body, condition)).won) this.#note(key, 'lost without a rival');
      }
      this.#own.set(key, [next]);
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) this.#own.set(key, [content, next]);
      throw error;
    }
  }

  /** Reads everything back from a store opened after the loss of power; what is found is what counts from then on. */
  async check(store: ObjectStore): Promise<void> {
    const found = new Set<string>();
    for (const key of [...this.#shared.keys(), ...this.#own.keys()]) {
      try {
        const object = await store.get(key);
        if (object !== undefined) found.add(key);
        const shared = this.#shared.get(key);
        this.#note(key, shared ? shared.checkSurvivor(object?.body) : this.#checkOwn(key, object?.body));
        if (shared !== undefined && object === undefined) this.#shared.set(key, new SharedKey());
        if (shared !== undefined && object !== undefined) this.#note(key, shared.confirm(object.body, object.etag));
      } catch (error) {
        this.#note(key, `cannot be read: ${String(error)}`);
      }
    }
    const listed = (await store.list('')).keys;
    if (listed.join() !== [...found].sort().join()) this.#note('list', `shows ${listed.join()}`);
  }

  #checkOwn(key: string, body: Buffer | undefined): string | undefined {
    const content = body?.toString('hex');
    const possible = this.#own.get(key) ?? [];
    this.#own.set(key, [content]);
    return possible.includes(content) ? undefined : `holds ${content ?? 'nothing'}`;
  }

  #note(key: string, violation: string | undefined): void {
    if (violation !== undefined) this.violations.push(`${key}: ${violation}`);
  }
}
