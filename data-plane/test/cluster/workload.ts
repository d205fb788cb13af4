/** Writers and readers with an official client on every database, until they are stopped. */
import { setTimeout as delay } from 'node:timers/promises';
import { createClient, type Client } from '@libsql/client';
import { seededRandom } from '../seeded-random.js';
import { errorCode, type Ledger } from './ledger.js';

/** An attempt that got no answer, or an error for an answer. */
export interface ClientError {
  readonly atMs: number;
  readonly database: string;
  readonly request: 'read' | 'write';
  readonly code: string;
  readonly message: string;
}

export interface WorkloadOptions {
  readonly seed: number;
  /** Mean pause of a writer or a reader between two requests. */
  readonly pauseMs: number;
  readonly ledgers: readonly Ledger[];
  readonly url: (ledger: Ledger) => string;
  /** Each writer and each reader runs one interactive transaction in this many. */
  readonly interactiveEvery: number;
}

/** Longer than a node lets any request wait. */
const requestTimeoutMs = 30_000;
const pauseAfterErrorMs = 100;
const mostKeptErrors = 1_000;

export class Workload {
  /** The first of them; `errorCount` counts all. */
  readonly errors: ClientError[] = [];
  errorCount = 0;
  acknowledgedWrites = 0;
  reads = 0;
  readonly #options: WorkloadOptions;
  readonly #running: Promise<void>[] = [];
  #isStopped = false;

  constructor(options: WorkloadOptions) {
    this.#options = options;
  }

  start(): void {
    for (const [index, ledger] of this.#options.ledgers.entries()) {
      this.#running.push(this.#repeat(ledger, 'write', 2 * index));
      this.#running.push(this.#repeat(ledger, 'read', 2 * index + 1));
    }
  }

  /** Resolves when every request has come to its end. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  async #repeat(ledger: Ledger, request: 'read' | 'write', worker: number): Promise<void> {
    const { seed, pauseMs, url, interactiveEvery } = this.#options;
    const random = seededRandom(seed + worker);
    const client = openClient(url(ledger), ledger.database.token);
    // Not all at once.
    await delay(random.below(pauseMs));
    while (!this.#isStopped) {
      try {
        if (request === 'read') await ledger.read(client);
        else if (random.below(interactiveEvery) === 0) await ledger.write(client, 'interactive', 2);
        else await ledger.write(client, random.below(2) === 0 ? 'one row' : 'several rows', 2 + random.below(3));
        if (request === 'read') this.reads += 1;
        else this.acknowledgedWrites += 1;
      } catch (error) {
        this.noteError(ledger, request, error);
        await delay(pauseAfterErrorMs);
      }
      await delay(pauseMs / 2 + random.below(pauseMs));
    }
    client.close();
  }

  noteError(ledger: Ledger, request: 'read' | 'write', error: unknown): void {
    this.errorCount += 1;
    if (this.errors.length >= mostKeptErrors) return;
    this.errors.push({
      atMs: Math.round(performance.now()),
      database: ledger.database.name,
      request,
      code: errorCode(error),
      message: describeError(error),
    });
  }
}

/** An official client without any retry; a request without an answer ends after `timeoutMs`. */
export function openClient(url: string, authToken: string, timeoutMs = requestTimeoutMs): Client {
  return createClient({
    url,
    authToken,
    fetch: async (request: Request) => fetch(request, { signal: AbortSignal.timeout(timeoutMs) }),
  });
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
