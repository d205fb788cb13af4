import { createHash } from 'node:crypto';
import type {
  ETag,
  ListPage,
  ObjectStore,
  StoredObject,
  WriteResult,
} from '@turso-byoc/data-plane/object-store/object-store.js';
import type { Runtime } from '@turso-byoc/data-plane/runtime.js';

export interface RequestCount {
  reads: number;
  writes: number;
  uploadedBytes: number;
}

/** How long a store takes: the median and the 99th percentile of a log-normal distribution. */
export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** An object store in memory that takes its time and counts what it is asked, by the first part of the name. */
export class MemoryStore implements ObjectStore {
  readonly counts = new Map<string, RequestCount>();
  readonly #objects = new Map<string, StoredObject>();
  #version = 0;

  constructor(
    private readonly runtime: Pick<Runtime, 'sleep' | 'randomFraction'>,
    private readonly read: Latency,
    private readonly write: Latency,
  ) {}

  async get(key: string): Promise<StoredObject | undefined> {
    await this.#wait(key, 'reads', this.read);
    return this.#objects.get(key);
  }

  async getRange(key: string, start: number, length: number): Promise<Buffer | undefined> {
    await this.#wait(key, 'reads', this.read);
    return this.#objects.get(key)?.body.subarray(start, start + length);
  }

  async put(key: string, body: Uint8Array, condition: Parameters<ObjectStore['put']>[2]): Promise<WriteResult> {
    this.#count(key).uploadedBytes += body.byteLength;
    await this.#wait(key, 'writes', this.write);
    const current = this.#objects.get(key);
    if ('ifAbsent' in condition ? current : current?.etag !== condition.ifMatch) return { won: false };
    const etag = String(++this.#version) as ETag;
    this.#objects.set(key, { body: Buffer.from(body), etag });
    return { won: true, etag };
  }

  async delete(key: string): Promise<void> {
    await this.runtime.sleep(this.#draw(this.write));
    this.#objects.delete(key);
  }

  async list(prefix: string): Promise<ListPage> {
    await this.#wait(prefix, 'writes', this.read);
    return { keys: [...this.#objects.keys()].filter((key) => key.startsWith(prefix)).sort() };
  }

  #count(key: string): RequestCount {
    const kind = key.split('/')[0] ?? '';
    const count = this.counts.get(kind) ?? { reads: 0, writes: 0, uploadedBytes: 0 };
    this.counts.set(kind, count);
    return count;
  }

  async #wait(key: string, what: 'reads' | 'writes', latency: Latency): Promise<void> {
    this.#count(key)[what] += 1;
    await this.runtime.sleep(this.#draw(latency));
  }

  #draw(latency: Latency): number {
    return drawLatencyMs(() => this.runtime.randomFraction(), latency);
  }
}

/** One latency of a distribution; `random` is uniform in [0, 1). */
export function drawLatencyMs(random: () => number, { p50Ms, p99Ms }: Latency): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return p50Ms * Math.exp((normal * Math.log(p99Ms / p50Ms)) / 2.326);
}

/** A database id made of a number. */
export function numberedId(number: number): string {
  const hex = createHash('sha256').update(String(number)).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}
