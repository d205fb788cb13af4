/**
 * Decides which request an engine process gets next, so that a noisy database cannot fill the engine's queue.
 *
 * Each database has a FIFO queue; a turn goes round the databases that have something to send. At most `window`
 * requests count as handed to the engine, of one database at most `databaseWindow`.
 *
 * Why this cannot deadlock. A request may wait inside the engine for something that only a later request brings: for
 * the write lock of a stream whose COMMIT is still queued here, or for a client that takes its streamed answer. Such a
 * request uses no engine time, so it must not take room. The engine begins requests in the order they were sent and lets
 * another one run only when the current one waits or has used up its turn. Therefore: when the engine answers request n
 * or is seen to execute it, every unanswered request sent before n has had its turn and waits; when the engine is seen
 * to execute nothing, every request sent before the previous look waits. Requests that wait stop counting and their
 * places go to the queues, so what they wait for is always sent in the end. Should one that does not count run on
 * nevertheless, fairness rests on the engine's own turns; nothing else depends on it.
 *
 * Every operation takes constant time (amortized).
 */
import { ByocError } from '../../errors/catalogue.js';

export interface DispatcherLimits {
  /** Most requests that count as handed to the engine. @default 96 */
  readonly window: number;
  /**
   * Most of them of one database. Each process wakes once for what has come meanwhile, so this is how many requests of a
   * single busy database can share the cost of waking; in the engine its requests take turns with those of others however
   * many they are. @default 24
   */
  readonly databaseWindow: number;
  /** Most requests of one database without an answer, wherever they are; beyond it OVERLOADED. @default 512 */
  readonly maxOutstandingPerDatabase: number;
}

export const defaultDispatcherLimits: DispatcherLimits = {
  window: 96,
  databaseWindow: 24,
  maxOutstandingPerDatabase: 512,
};

type TicketState = 'queued' | 'counted' | 'waiting' | 'done';

/** One request on its way. The caller keeps it and hands it back. */
export interface Ticket<Item> {
  readonly database: number;
  readonly item: Item;
}

interface OwnTicket<Item> extends Ticket<Item> {
  state: TicketState;
  /** Order in which tickets were sent to the engine; 0 before. */
  sequence: number;
  readonly queue: DatabaseQueue<Item>;
}

interface DatabaseQueue<Item> {
  readonly tickets: Fifo<OwnTicket<Item>>;
  /** Tickets in `tickets` that were not withdrawn. */
  queued: number;
  counted: number;
  outstanding: number;
}

export class Dispatcher<Item> {
  readonly #limits: DispatcherLimits;
  readonly #send: (ticket: Ticket<Item>) => void;
  readonly #databases = new Map<number, DatabaseQueue<Item>>();
  /** Databases that have something to send and room for it, in the order of their turns. */
  readonly #ready = new Set<DatabaseQueue<Item>>();
  /** Counted tickets by the order of sending; finished ones are skipped when their turn comes. */
  readonly #sent = new Fifo<OwnTicket<Item>>();
  #counted = 0;
  #queued = 0;
  #sequence = 0;
  #lookedAtSequence = 0;

  /** `send` hands a request to the engine; it must not call back into the dispatcher. */
  constructor(limits: DispatcherLimits, send: (ticket: Ticket<Item>) => void) {
    this.#limits = limits;
    this.#send = send;
  }

  /** True when requests wait here for room in the engine; `observe` should be called now and then while it is. */
  get isBlocked(): boolean {
    return this.#queued > 0;
  }

  /** How many do. */
  get queued(): number {
    return this.#queued;
  }

  /** Queues a request and sends what there is room for. Throws OVERLOADED. */
  submit(database: number, item: Item): Ticket<Item> {
    let queue = this.#databases.get(database);
    if (!queue) {
      queue = { tickets: new Fifo(), queued: 0, counted: 0, outstanding: 0 };
      this.#databases.set(database, queue);
    }
    if (queue.outstanding >= this.#limits.maxOutstandingPerDatabase) {
      throw new ByocError('OVERLOADED', `${queue.outstanding} requests of this database wait for an answer`);
    }
    const ticket: OwnTicket<Item> = { database, item, state: 'queued', sequence: 0, queue };
    queue.tickets.push(ticket);
    queue.queued += 1;
    queue.outstanding += 1;
    this.#queued += 1;
    this.#offer(queue);
    this.#pump();
    return ticket;
  }

  /** The request has its last answer, or will get none. */
  finish(ticket: Ticket<Item>): void {
    const own = ticket as OwnTicket<Item>;
    if (own.state === 'done') return;
    if (own.state === 'queued') {
      own.queue.queued -= 1;
      this.#queued -= 1;
    } else {
      this.#stopCounting(own);
      this.#waitsBefore(own.sequence);
    }
    own.state = 'done';
    own.queue.outstanding -= 1;
    if (own.queue.outstanding === 0) {
      this.#databases.delete(own.database);
      this.#ready.delete(own.queue);
    }
    this.#pump();
  }

  /** The request has a part of its answer; what follows comes at the pace of its client. */
  answeredInPart(ticket: Ticket<Item>): void {
    const own = ticket as OwnTicket<Item>;
    if (own.state !== 'counted') return;
    this.#stopCounting(own);
    this.#waitsBefore(own.sequence);
    this.#pump();
  }

  /** True when the request was not sent yet and now never will be. */
  withdraw(ticket: Ticket<Item>): boolean {
    if ((ticket as OwnTicket<Item>).state !== 'queued') return false;
    this.finish(ticket);
    return true;
  }

  /** What the engine is seen to execute: a request sent to it, or undefined for nothing. */
  observe(executing: Ticket<Item> | undefined): void {
    if (executing) {
      this.#waitsBefore((executing as OwnTicket<Item>).sequence);
    } else {
      // What was sent since the last look may still be on its way.
      this.#waitsBefore(this.#lookedAtSequence + 1);
    }
    this.#lookedAtSequence = this.#sequence;
    this.#pump();
  }

  #offer(queue: DatabaseQueue<Item>): void {
    if (queue.queued > 0 && queue.counted < this.#limits.databaseWindow) this.#ready.add(queue);
  }

  /** Stops counting every request sent before `sequence`. */
  #waitsBefore(sequence: number): void {
    for (let first = this.#sent.peek(); first && first.sequence < sequence; first = this.#sent.peek()) {
      this.#sent.shift();
      this.#stopCounting(first);
    }
  }

  #stopCounting(ticket: OwnTicket<Item>): void {
    if (ticket.state !== 'counted') return;
    ticket.state = 'waiting';
    ticket.queue.counted -= 1;
    this.#counted -= 1;
    this.#offer(ticket.queue);
  }

  #pump(): void {
    while (this.#counted < this.#limits.window) {
      const [queue] = this.#ready;
      if (!queue) return;
      this.#ready.delete(queue);
      const ticket = queue.tickets.shift();
      if (ticket?.state === 'queued') {
        this.#sequence += 1;
        ticket.sequence = this.#sequence;
        ticket.state = 'counted';
        queue.queued -= 1;
        queue.counted += 1;
        this.#queued -= 1;
        this.#counted += 1;
        this.#sent.push(ticket);
        this.#send(ticket);
      }
      this.#offer(queue);
    }
  }
}

/** A queue whose both ends cost constant time. */
class Fifo<Item> {
  #items: (Item | undefined)[] = [];
  #head = 0;

  push(item: Item): void {
    this.#items.push(item);
  }

  peek(): Item | undefined {
    return this.#items[this.#head];
  }

  shift(): Item | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#items[this.#head] = undefined;
    this.#head += 1;
    // Dropping the used half at once keeps the cost per item constant.
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
