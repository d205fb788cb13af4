/** One client of the simulated world: sends requests to some node and learns, as a client does, what became of them. */
import type { DatabaseService } from '@turso-byoc/data-plane/database/database-service.js';
import { failureOf, type Failure } from '../check/answer-rules.js';
import type { DatabaseHistory } from '../check/database-history.js';
import { encodeRequest, type ModelAnswer, type ModelRequest } from '../engine/model-protocol.js';
import { isWrite } from '../engine/operations.js';
import { NoAnswerError, type Network } from '../network/network.js';
import { Machine } from '../world/machine.js';
import type { Random } from '../world/random.js';
import type { World } from '../world/world.js';

/** A node that clients send to. */
export interface Target {
  readonly machine: Machine;
  readonly databases: DatabaseService;
}

export type Outcome =
  | { readonly kind: 'answered'; readonly answer: ModelAnswer; readonly returned: number }
  /** The stream is gone, and what it had not committed with it. */
  | { readonly kind: 'expired' }
  | Failure;

export interface ClientOptions {
  readonly world: World;
  readonly network: Network;
  readonly name: string;
  /** A node that takes requests, or undefined when there is none. */
  readonly target: (random: Random) => Target | undefined;
}

const timeoutMs = 12_000;

export class Client {
  readonly machine: Machine;
  readonly random: Random;
  readonly world: World;
  readonly #options: ClientOptions;
  #values = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.world = options.world;
    this.machine = new Machine(options.world, options.name);
    this.random = options.world.random.fork();
  }

  /** A value that nobody else ever writes. */
  uniqueValue(): string {
    return `${this.machine.name}.${this.#values++}`;
  }

  async sleep(ms: number): Promise<void> {
    return this.machine.sleep(ms);
  }

  /** Runs anything on a node. Throws what the node throws, and `NoAnswerError`. */
  async call<T>(perform: (databases: DatabaseService, signal: AbortSignal) => Promise<T>): Promise<T> {
    const { network, target } = this.#options;
    const node = target(this.random);
    if (!node) {
      await this.sleep(50);
      throw new NoAnswerError('no node is there', false);
    }
    return network.call(this.machine, node.machine, timeoutMs, async (signal) => perform(node.databases, signal));
  }

  /** Sends a request to a database. `called` is what its history said before. */
  async request(
    history: DatabaseHistory,
    call: ReturnType<DatabaseHistory['calls']>,
    request: ModelRequest,
  ): Promise<Outcome> {
    const { world } = this;
    const stageBefore = history.stage;
    const isReading = !request.operations.some((operation) => isWrite(operation) || operation.op === 'commit');
    try {
      const { status, body } = await this.call(async (databases, signal) =>
        databases.execute(history.id, {
          kind: 'v2-pipeline',
          readOnly: isReading && this.random.chance(50),
          body: encodeRequest(request),
          signal,
        }),
      );
      if (!Buffer.isBuffer(body)) throw new Error('the model engine answers in one part');
      if (stageBefore === 'deleted') {
        world.violate(`database ${history.name} answered a request that was sent after its deletion`);
      }
      const content = JSON.parse(body.toString()) as ModelAnswer;
      if (status === 404) return { kind: 'expired' };
      const returned = history.answered(call, content.seen);
      return { kind: 'answered', answer: content, returned };
    } catch (error) {
      const failure = failureOf(error);
      if (!failure) {
        world.violate(`database ${history.name} answered ${String(error)}${causes(error)}`);
        return { kind: 'unknown', why: String(error) };
      }
      if (failure.kind === 'missing' && stageBefore === 'live' && history.stage === 'live') {
        world.violate(`database ${history.name} is there, but a client was told that it is not`);
      }
      return failure;
    }
  }
}

function causes(error: unknown): string {
  let text = '';
  for (let cause: unknown = error instanceof Error ? error.cause : undefined; cause;) {
    text += ` ← ${cause instanceof Error ? (cause.stack ?? cause.message) : JSON.stringify(cause)}`;
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return text;
}
