import {
  OutcomeUnknownError,
  StoreUnavailableError,
  type ListPage,
  type ObjectStore,
  type StoredObject,
  type WriteCondition,
  type WriteResult,
} from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';

/** One finished request to the object store. */
export interface StoreRequest {
  readonly operation: 'get' | 'get_range' | 'put' | 'delete' | 'list';
  /** First part of the key, which is the kind of object: `log`, `nodes`, `manifests`, … */
  readonly objects: string;
  /**
   * `absent`: read, and there is no such object. `lost`: a conditional write that another came before. `unavailable` and
   * `unknown`: the errors of the same name. `failed`: any other error.
   */
  readonly outcome: 'ok' | 'absent' | 'lost' | 'unavailable' | 'unknown' | 'failed';
  readonly durationMs: number;
  /** Object content, without headers. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

interface Judgement {
  readonly outcome: StoreRequest['outcome'];
  readonly receivedBytes: number;
}

/** Passes every operation through to another store, unchanged, and reports each one when it ends. */
export class CountingObjectStore implements ObjectStore {
  constructor(
    private readonly store: ObjectStore,
    private readonly runtime: Pick<Runtime, 'monotonicMs'>,
    private readonly onRequest: (request: StoreRequest) => void,
  ) {}

  async get(key: string): Promise<StoredObject | undefined> {
    return this.#count(
      'get',
      key,
      0,
      () => this.store.get(key),
      (object) => readJudgement(object?.body),
    );
  }

  async getRange(key: string, start: number, length: number): Promise<Buffer | undefined> {
    return this.#count('get_range', key, 0, () => this.store.getRange(key, start, length), readJudgement);
  }

  async put(key: string, body: Uint8Array, condition: WriteCondition): Promise<WriteResult> {
    return this.#count(
      'put',
      key,
      body.byteLength,
      () => this.store.put(key, body, condition),
      (result) => ({
        outcome: result.won ? 'ok' : 'lost',
        receivedBytes: 0,
      }),
    );
  }

  async delete(key: string): Promise<void> {
    return this.#count(
      'delete',
      key,
      0,
      () => this.store.delete(key),
      () => done,
    );
  }

  async list(prefix: string, options?: { after?: string; limit?: number }): Promise<ListPage> {
    return this.#count(
      'list',
      prefix,
      0,
      () => this.store.list(prefix, options),
      () => done,
    );
  }

  async #count<Result>(
    operation: StoreRequest['operation'],
    key: string,
    sentBytes: number,
    run: () => Promise<Result>,
    judge: (result: Result) => Judgement,
  ): Promise<Result> {
    const startedAtMs = this.runtime.monotonicMs();
    const objects = key.split('/', 1)[0] ?? '';
    const report = (judgement: Judgement): void =>
      this.onRequest({
        operation,
        objects,
        sentBytes,
        ...judgement,
        durationMs: this.runtime.monotonicMs() - startedAtMs,
      });
    let result: Result;
    try {
      result = await run();
    } catch (error) {
      report({ outcome: outcomeOfError(error), receivedBytes: 0 });
      throw error;
    }
    report(judge(result));
    return result;
  }
}

const done: Judgement = { outcome: 'ok', receivedBytes: 0 };

function readJudgement(body: Buffer | undefined): Judgement {
  return body === undefined
    ? { outcome: 'absent', receivedBytes: 0 }
    : { outcome: 'ok', receivedBytes: body.byteLength };
}

function outcomeOfError(error: unknown): StoreRequest['outcome'] {
  if (error instanceof StoreUnavailableError) return 'unavailable';
  return error instanceof OutcomeUnknownError ? 'unknown' : 'failed';
}
