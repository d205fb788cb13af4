/**
 * The streams of one database that outlive a request. A stream that only waits for its next request costs a few
 * hundred bytes and no connection. Timers run only while there are streams.
 */
import type { DatabaseHost } from '../engine/process/database-host.js';
import { PoisonedError } from '../engine/process/poisoned.js';
import type { RequestContext } from '../engine/process/request-context.js';
import { Session } from '../engine/process/session.js';
import { Signal, type Task } from '../engine/process/task.js';
import { ByocError } from '../errors/catalogue.js';
import type { Runtime } from '../runtime.js';
import { formatBaton, isSameSecret, newSecret, newStreamId, parseBaton } from './baton.js';
import { Stream } from './stream.js';

/** Beyond this the streams that were used longest ago are closed as if they had expired. */
const maxIdleStreams = 10_000;

export class StreamTable {
  readonly #host: DatabaseHost;
  readonly #runtime: Runtime;
  readonly #streams = new Map<string, Stream>();
  /** Streams that wait for their next request, the one used longest ago first. */
  readonly #idle = new Map<string, Stream>();
  /** Those of them that have a transaction open; there are never more than connections. */
  readonly #inTransaction = new Set<Stream>();
  #timer: { readonly atMs: number; readonly cancel: () => void } | undefined;

  constructor(host: DatabaseHost, runtime: Runtime) {
    this.#host = host;
    this.#runtime = runtime;
  }

  /** A new stream, unknown to anybody until `keep`. */
  open(): Stream {
    return new Stream(new Session(this.#host));
  }

  /**
   * The stream that a baton names, now in use by this request; the baton is used up. A cursor that still runs in the
   * stream is ended: a client sends one request at a time, so it has stopped reading. Throws STREAM_EXPIRED,
   * BATON_INVALID, `RequestAbandoned`.
   */
  *take(text: string, context: RequestContext): Task<Stream> {
    const baton = parseBaton(text);
    for (;;) {
      const stream = this.#streams.get(baton.streamId);
      if (!stream) throw new ByocError('STREAM_EXPIRED', 'The stream has expired due to inactivity');
      if (stream.secret === undefined || !isSameSecret(stream.secret, baton.secret)) {
        throw new ByocError('BATON_INVALID', 'the baton was used before, or is not one that this server gave out');
      }
      if (!stream.running) {
        stream.secret = undefined;
        stream.running = { context, ended: new Signal() };
        this.#idle.delete(baton.streamId);
        this.#inTransaction.delete(stream);
        return stream;
      }
      stream.running.context.abandon('superseded');
      yield* context.park(stream.running.ended, this.#host.limits.streamIdleTimeoutMs);
    }
  }

  /** Lets a stream outlive the request that uses it; returns the baton for the next one. */
  keep(stream: Stream, context: RequestContext): string {
    const randomBytes = (count: number): Buffer => this.#runtime.randomBytes(count);
    const id = (stream.id ??= newStreamId(randomBytes));
    stream.secret = newSecret(randomBytes);
    stream.running ??= { context, ended: new Signal() };
    this.#streams.set(id, stream);
    this.#host.reportStreams(this.#streams.size);
    return formatBaton({ streamId: id, secret: stream.secret });
  }

  /** The request is done with a stream that was kept; it waits for the next one. */
  rest(stream: Stream): void {
    const { id, running } = stream;
    if (id === undefined || this.#streams.get(id) !== stream) return;
    stream.running = undefined;
    stream.lastUsedMs = this.#runtime.monotonicMs();
    stream.session.endRequest(true);
    this.#idle.set(id, stream);
    if (stream.session.transactionDeadlineMs !== undefined) this.#inTransaction.add(stream);
    running?.ended.raise();
    if (this.#idle.size > maxIdleStreams) this.#closeOldest();
    this.#armTimer();
  }

  /** Ends a stream: its transaction is rolled back, its stored texts are forgotten. */
  close(stream: Stream): void {
    const { id, running } = stream;
    stream.running = undefined;
    if (id !== undefined && this.#streams.delete(id)) {
      this.#idle.delete(id);
      this.#inTransaction.delete(stream);
      this.#host.reportStreams(this.#streams.size);
      if (this.#idle.size === 0) this.#disarmTimer();
    }
    running?.ended.raise();
    stream.session.close();
  }

  /** Forgets all streams of a database that is closed. */
  closeAll(): void {
    this.#disarmTimer();
    this.#streams.clear();
    this.#idle.clear();
    this.#inTransaction.clear();
  }

  #closeOldest(): void {
    for (const stream of this.#idle.values()) {
      if (stream.session.transactionDeadlineMs !== undefined) continue;
      this.close(stream);
      return;
    }
  }

  #armTimer(): void {
    let atMs = Number.POSITIVE_INFINITY;
    for (const stream of this.#inTransaction) {
      atMs = Math.min(atMs, stream.session.transactionDeadlineMs ?? Number.POSITIVE_INFINITY);
    }
    for (const oldest of this.#idle.values()) {
      atMs = Math.min(atMs, oldest.lastUsedMs + this.#host.limits.streamIdleTimeoutMs);
      break;
    }
    if (atMs === Number.POSITIVE_INFINITY || (this.#timer && this.#timer.atMs <= atMs)) return;
    this.#disarmTimer();
    const cancel = this.#runtime.schedule(Math.max(1, Math.ceil(atMs - this.#runtime.monotonicMs())), () => {
      this.#timer = undefined;
      this.#expire();
      this.#armTimer();
    });
    this.#timer = { atMs, cancel };
  }

  #disarmTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #expire(): void {
    const nowMs = this.#runtime.monotonicMs();
    try {
      for (const stream of this.#inTransaction) {
        stream.session.expireTransaction();
        if (stream.session.transactionDeadlineMs === undefined) this.#inTransaction.delete(stream);
      }
      for (const stream of this.#idle.values()) {
        if (stream.lastUsedMs + this.#host.limits.streamIdleTimeoutMs > nowMs) break;
        this.close(stream);
      }
    } catch (error) {
      // The host has noted it and is about to be closed.
      if (!(error instanceof PoisonedError)) throw error;
    }
  }
}
