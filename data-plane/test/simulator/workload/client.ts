/** One client of the simulated world: sends requests to some node and learns, as a client does, what became of them. */
import { failureOf, type Failure } from '../check/answer-rules.js';
import type { DatabaseHistory, StartedCall } from '../check/database-history.js';
import type { Transaction } from '../check/transactions.js';
import { encodeRequest, type ModelAnswer, type ModelRequest } from '../engine/model-protocol.js';
import { isWrite } from '../engine/operations.js';
import { NoAnswerError, type Network } from '../network/network.js';
import type { NodeFaces } from '../node/simulated-peers.js';
import { Machine } from '../world/machine.js';
import type { Random } from '../world/random.js';
import type { World } from '../world/world.js';

export type Outcome =
  | {
      readonly kind: 'answered';
      readonly answer: ModelAnswer;
      /** The database that answered: another one when the name was given to a new one meanwhile. */
      readonly history: DatabaseHistory;
      readonly returned: number;
    }
  /** The stream is gone, and what it had not committed with it. */
  | { readonly kind: 'expired' }
  | Failure;

export interface ClientOptions {
  readonly world: World;
  readonly network: Network;
  readonly name: string;
  /** Nodes that take requests. */
  readonly targets: () => readonly NodeFaces[];
  readonly historyOf: (database: string) => DatabaseHistory;
  /** The database that has this name now. */
  readonly named: (name: string) => DatabaseHistory | undefined;
  /** How long it waits for an answer. @default drawn */
  readonly patienceMs?: number;
}

/** How long a client waits for an answer: some give up early, and are there again when others still wait. */
const patiencesMs = [2_000, 6_000, 20_000];

export class Client {
  readonly machine: Machine;
  readonly random: Random;
  readonly world: World;
  readonly #options: ClientOptions;
  readonly #patienceMs: number;
  #values = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.world = options.world;
    this.machine = new Machine(options.world, options.name);
    this.random = options.world.random.fork();
    const drawnMs = this.random.pick(patiencesMs);
    this.#patienceMs = options.patienceMs ?? drawnMs;
  }

  /** A value that nobody else ever writes. */
  uniqueValue(): string {
    return `${this.machine.name}.${this.#values++}`;
  }

  async sleep(ms: number): Promise<void> {
    return this.machine.sleep(ms);
  }

  /** Runs anything on a node. Throws what the node throws, and `NoAnswerError`. */
  async call<T>(perform: (node: NodeFaces, signal: AbortSignal) => Promise<T>): Promise<T> {
    const { network, targets } = this.#options;
    const nodes = targets();
    if (nodes.length === 0) {
      await this.sleep(50);
      throw new NoAnswerError('no node is there', false);
    }
    const node = this.random.pick(nodes);
    const patience = { timeoutMs: this.#patienceMs, connectTimeoutMs: 1_000 };
    return network.call(this.machine, node.machine, patience, async (signal) => perform(node, signal));
  }

  /** Sends a request to the database that has the name of `history`. */
  async request(history: DatabaseHistory, call: StartedCall, request: ModelRequest): Promise<Outcome> {
    const stageBefore = history.stage;
    const isReading = !request.operations.some((operation) => isWrite(operation) || operation.op === 'commit');
    try {
      const { status, body } = await this.call(async (node, signal) =>
        node.sql({
          kind: 'v2-pipeline',
          readOnly: isReading && this.random.chance(50),
          body: encodeRequest(request),
          signal,
          admission: { label: history.name, authorization: '' },
          isForwarded: false,
        }),
      );
      if (!Buffer.isBuffer(body)) throw new Error('the model engine answers in one part');
      if (status === 404) return { kind: 'expired' };
      const answer = JSON.parse(body.toString()) as ModelAnswer;
      const answering = this.#options.historyOf(answer.seen.database);
      return { kind: 'answered', answer, history: answering, returned: answering.answered(call, answer.seen) };
    } catch (error) {
      const failure = failureOf(error);
      if (!failure) {
        this.world.violate(`database ${history.name} answered ${String(error)}${causes(error)}`);
        return { kind: 'unknown', why: String(error) };
      }
      if (failure.kind === 'missing' && stageBefore === 'live' && history.stage === 'live') {
        this.world.violate(`database ${history.name} is there, but a client was told that it is not`);
      }
      return failure;
    }
  }

  /** Nobody knows whether the transaction took effect, nor, when the name changed hands, in which database. */
  recordUnknown(history: DatabaseHistory, transaction: Transaction, called: number): void {
    history.record(transaction, called, undefined);
    const now = this.#options.named(history.name);
    if (now && now !== history) now.record(transaction, called, undefined);
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
