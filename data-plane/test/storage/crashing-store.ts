import type {
  ListPage,
  ObjectStore,
  StoredObject,
  WriteCondition,
  WriteResult,
} from '../../src/object-store/object-store.js';
import type { ObjectVersions } from '../../src/object-store/object-versions.js';
import type { VirtualRuntime } from '../virtual-runtime.js';

/** When the process of a test dies: at which call to any of its stores, counted from 1, and on which side of it. */
export interface CrashPoint {
  readonly call: number;
  readonly side: 'before' | 'after';
}

/** Counts the calls of one process to its stores; from the crash on nothing it asks for happens. */
export class Crash {
  calls = 0;
  /** The writes among the calls. */
  readonly writes: number[] = [];
  readonly happened: Promise<'crashed'>;
  #isDead = false;
  #tell: () => void = () => undefined;

  constructor(private readonly point?: CrashPoint) {
    this.happened = new Promise((resolve) => (this.#tell = () => resolve('crashed')));
  }

  async around<T>(isWrite: boolean, perform: () => Promise<T>): Promise<T> {
    this.#assertAlive();
    const call = ++this.calls;
    if (isWrite) this.writes.push(call);
    const side = call === this.point?.call ? this.point.side : undefined;
    if (side === 'before') this.#die();
    this.#assertAlive();
    const result = await perform();
    if (side === 'after') this.#die();
    this.#assertAlive();
    return result;
  }

  #die(): void {
    this.#isDead = true;
    this.#tell();
  }

  #assertAlive(): void {
    if (this.#isDead) throw new Error('simulated: this process is dead');
  }
}

/** The same for the versions of a store. */
export function crashingVersions(runtime: VirtualRuntime, versions: ObjectVersions, crash: Crash): ObjectVersions {
  return {
    older: async (key) => crash.around(false, () => runtime.hold(versions.older(key))),
    remove: async (key, version) => crash.around(true, () => runtime.hold(versions.remove(key, version))),
  };
}

/** A real store as a process sees it that may die at any call. */
export class CrashingStore implements ObjectStore {
  constructor(
    private readonly runtime: VirtualRuntime,
    private readonly store: ObjectStore,
    private readonly crash: Crash,
  ) {}

  async get(key: string): Promise<StoredObject | undefined> {
    return this.#call(false, () => this.store.get(key));
  }

  async getRange(key: string, start: number, length: number): Promise<Buffer | undefined> {
    return this.#call(false, () => this.store.getRange(key, start, length));
  }

  async put(key: string, body: Uint8Array, condition: WriteCondition): Promise<WriteResult> {
    return this.#call(true, () => this.store.put(key, body, condition));
  }

  async delete(key: string): Promise<void> {
    return this.#call(true, () => this.store.delete(key));
  }

  async list(prefix: string, options?: { after?: string; limit?: number }): Promise<ListPage> {
    return this.#call(false, () => this.store.list(prefix, options));
  }

  async #call<T>(isWrite: boolean, perform: () => Promise<T>): Promise<T> {
    return this.crash.around(isWrite, () => this.runtime.hold(perform()));
  }
}
