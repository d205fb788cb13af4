/**
 * The connections to one open database. An idle database has exactly one. Further ones are opened when requests run
 * side by side or transactions stay open between requests, and are closed again a moment after they were needed last.
 *
 * At least one connection stays open as long as the database does: when its last connection closes, the engine deletes
 * the WAL, and the WAL is where commits are read from.
 */
import type { Runtime } from '../../runtime.js';
import type { Connection } from './connection.js';
import { Signal } from './task.js';

/** Upper bound of open connections; each costs about 200 kB and a few file descriptors. */
const maxConnections = 64;
/** Beyond this number of connections a new session takes one over that an idle session might come back for. */
const comfortableConnections = 4;
const shrinkAfterMs = 2_000;

export interface ConnectionPoolOptions {
  readonly runtime: Runtime;
  /** Opens one more connection. Throws `EngineError`. */
  readonly open: () => Connection;
  /** Called after a connection was closed. */
  readonly closed: () => void;
}

export class ConnectionPool {
  readonly #options: ConnectionPoolOptions;
  readonly #all = new Set<Connection>();
  /** Not in use; the one used last is at the end. */
  #free: Connection[] = [];
  /** Sessions that may come back for the connection they wrote with, because it remembers their last rowid. */
  readonly #claims = new Map<Connection, object>();
  #waiting: Signal[] = [];
  #cancelShrink: (() => void) | undefined;

  constructor(options: ConnectionPoolOptions) {
    this.#options = options;
    this.#free.push(this.#open());
  }

  get size(): number {
    return this.#all.size;
  }

  /**
   * A connection for the exclusive use of a session: the one it claims, one that nobody claims, or a new one. A signal
   * instead when there are too many; look again when it is raised. Throws `EngineError`.
   */
  acquire(session: object): Connection | Signal {
    const last = this.#free.length - 1;
    let choice = -1;
    for (let position = last; position >= 0; position--) {
      const connection = this.#free[position];
      const claimant = connection && this.#claims.get(connection);
      if (claimant === session) {
        choice = position;
        break;
      }
      if (claimant === undefined && choice < 0) choice = position;
    }
    if (choice < 0 && last >= 0 && this.#all.size >= comfortableConnections) choice = 0;
    const [connection] = choice < 0 ? [] : this.#free.splice(choice, 1);
    if (connection) {
      this.#claims.delete(connection);
      return connection;
    }
    if (this.#all.size < maxConnections) return this.#open();
    const signal = new Signal();
    this.#waiting.push(signal);
    return signal;
  }

  /** A connection that no session has changed data through, opened when there is none. Throws `EngineError`. */
  acquireUntouched(): Connection {
    const position = this.#free.findIndex((connection) => connection.lastWriter === undefined);
    const [connection] = position < 0 ? [] : this.#free.splice(position, 1);
    return connection ?? this.#open();
  }

  /** A connection that is not in use, for work between requests; undefined when all are. It stays in the pool. */
  get anyFree(): Connection | undefined {
    return this.#free.at(-1);
  }

  /** Returns a connection that is outside any transaction and unchanged. `claimant` may come back for it. */
  release(connection: Connection, claimant: object | undefined): void {
    if (claimant) this.#claims.set(connection, claimant);
    this.#free.push(connection);
    this.#wakeNext();
    if (this.#free.length > 1) this.#planShrink();
  }

  /** The session will not come back. */
  dropClaim(session: object): void {
    for (const [connection, claimant] of this.#claims) {
      if (claimant !== session) continue;
      this.#claims.delete(connection);
      this.#planShrink();
    }
  }

  /** Closes a connection that must not be used by anybody else. Throws `EngineError` when it cannot be replaced. */
  discard(connection: Connection): void {
    if (this.#all.size === 1) this.#free.push(this.#open());
    this.#close(connection);
    this.#wakeNext();
  }

  closeAll(): void {
    this.#cancelShrink?.();
    this.#free = [];
    for (const connection of this.#all) this.#close(connection);
    for (const signal of this.#waiting) signal.raise();
    this.#waiting = [];
  }

  /** Wakes the first session that still waits; the signals of those that gave up are raised already. */
  #wakeNext(): void {
    for (let signal = this.#waiting.shift(); signal; signal = this.#waiting.shift()) {
      if (signal.raised) continue;
      signal.raise();
      return;
    }
  }

  #open(): Connection {
    const connection = this.#options.open();
    this.#all.add(connection);
    return connection;
  }

  #close(connection: Connection): void {
    this.#all.delete(connection);
    this.#claims.delete(connection);
    connection.close();
    this.#options.closed();
  }

  #planShrink(): void {
    this.#cancelShrink ??= this.#options.runtime.schedule(shrinkAfterMs, () => {
      this.#cancelShrink = undefined;
      const spare = this.#free.filter((connection) => !this.#claims.has(connection));
      if (spare.length === this.#free.length) spare.pop();
      this.#free = this.#free.filter((connection) => !spare.includes(connection));
      for (const connection of spare) this.#close(connection);
    });
  }
}
