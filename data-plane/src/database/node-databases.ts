/**
 * The databases of one node: finds them by name, opens them on demand, closes idle ones, creates and deletes.
 *
 * For each database at most one thing happens at a time (open, close, create, delete); requests run between these.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import { assertDatabaseAddress, hostLabel, type DatabaseAddress } from '../naming/host-label.js';
import { createDatabase, deleteDatabase, describe, findByName } from './database-records.js';
import type { DatabaseDescription, DatabaseService, NewDatabase, SqlRequest, SqlResponse } from './database-service.js';
import type { NodeContext } from './node-context.js';
import { OpenDatabase } from './open-database.js';
import { onStreamEnd } from './stream-end.js';

interface Entry {
  /** The open database, or the attempt to open it. */
  readonly database: Promise<OpenDatabase>;
  users: number;
  lastUsedMs: number;
}

export interface NodeDatabasesLimits {
  /** Beyond this many the longest unused databases are closed early. */
  readonly maxOpen: number;
  /** Names whose database is remembered. */
  readonly maxRememberedNames: number;
}

export class NodeDatabases implements DatabaseService {
  readonly #context: NodeContext;
  readonly #limits: NodeDatabasesLimits;
  /** In order of last use, longest unused first. */
  readonly #open = new Map<DatabaseId, Entry>();
  readonly #exclusive = new Map<DatabaseId, Promise<unknown>>();
  readonly #byLabel = new Map<string, DatabaseDescription>();
  /** How often a name was forgotten: what was looked up before may be out of date after. */
  #forgotten = 0;
  #cancelSweep: (() => void) | undefined;
  #stopping = false;

  constructor(context: NodeContext, limits: NodeDatabasesLimits) {
    this.#context = context;
    this.#limits = limits;
  }

  get openCount(): number {
    return this.#open.size;
  }

  async find(organization: string, name: string): Promise<DatabaseDescription | undefined> {
    const address = { organization, database: name };
    const label = hostLabel(address);
    const remembered = this.#byLabel.get(label);
    if (remembered) return remembered;
    const forgotten = this.#forgotten;
    const description = await findByName(this.#context, address);
    if (description && forgotten === this.#forgotten) this.#remember(label, description);
    return description;
  }

  async describe(id: DatabaseId): Promise<DatabaseDescription | undefined> {
    return describe(this.#context, id);
  }

  async execute(id: DatabaseId, request: SqlRequest): Promise<SqlResponse> {
    const entry = await this.#acquire(id);
    let response: SqlResponse | undefined;
    try {
      response = await (await entry.database).execute(request);
    } finally {
      if (response === undefined || Buffer.isBuffer(response.body)) this.#release(entry);
    }
    if (Buffer.isBuffer(response.body)) return response;
    return { status: response.status, body: onStreamEnd(response.body, () => this.#release(entry)) };
  }

  async create(database: NewDatabase): Promise<DatabaseDescription> {
    assertDatabaseAddress({ organization: database.organization, database: database.name });
    return this.#alone(database.id, async () => createDatabase(this.#context, database));
  }

  async delete(id: DatabaseId): Promise<void> {
    await this.#alone(id, async () => {
      const entry = this.#open.get(id);
      this.#open.delete(id);
      const open = await entry?.database.catch(() => undefined);
      open?.abandon(new ByocError('DATABASE_NOT_FOUND', 'the database was deleted'));
      await open?.resolved();
      const address = await deleteDatabase(this.#context, id);
      if (address) this.#forget(address);
    });
  }

  /** Answers everything with `error` and opens nothing any more: this epoch has ended. */
  abandon(error: ByocError): void {
    this.#stopping = true;
    this.#cancelSweep?.();
    for (const entry of this.#open.values())
      void entry.database.then((database) => database.abandon(error)).catch(() => undefined);
    this.#open.clear();
  }

  /** Closes every database; running requests have ended before, or are lost. */
  async close(): Promise<void> {
    this.#stopping = true;
    this.#cancelSweep?.();
    const entries = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(
      entries.map(async ({ database }) => {
        const open = await database.catch(() => undefined);
        await open?.close();
      }),
    );
  }

  async #acquire(id: DatabaseId): Promise<Entry> {
    for (;;) {
      if (this.#stopping) throw new ByocError('SHUTTING_DOWN', 'the node is stopping');
      const busy = this.#exclusive.get(id);
      if (busy) {
        await busy.catch(() => undefined);
        continue;
      }
      const entry = this.#open.get(id) ?? this.#startOpening(id);
      entry.users += 1;
      entry.lastUsedMs = this.#context.runtime.monotonicMs();
      // The map keeps the order of insertion: the longest unused entry stays first.
      this.#open.delete(id);
      this.#open.set(id, entry);
      return entry;
    }
  }

  #release(entry: Entry): void {
    entry.users -= 1;
    entry.lastUsedMs = this.#context.runtime.monotonicMs();
  }

  #startOpening(id: DatabaseId): Entry {
    const database = OpenDatabase.open(this.#context, id, (error) => {
      this.#context.report('database given up', { database: id, code: error.code, error: error.message });
      if (this.#open.get(id) !== entry) return;
      this.#open.delete(id);
      void this.#alone(id, async () => (await database).resolved());
    });
    const entry: Entry = { database, users: 0, lastUsedMs: this.#context.runtime.monotonicMs() };
    this.#open.set(id, entry);
    database.catch((error: unknown) => {
      if (this.#open.get(id) === entry) this.#open.delete(id);
      if (error instanceof ByocError && error.code === 'DATABASE_NOT_FOUND') this.#forgetId(id);
    });
    this.#armSweep();
    return entry;
  }

  /** Runs `work` while nothing else happens to the database. */
  async #alone<T>(id: DatabaseId, work: () => Promise<T>): Promise<T> {
    for (let busy = this.#exclusive.get(id); busy; busy = this.#exclusive.get(id)) await busy.catch(() => undefined);
    const running = work().finally(() => this.#exclusive.delete(id));
    this.#exclusive.set(id, running);
    return running;
  }

  #armSweep(): void {
    if (this.#cancelSweep || this.#open.size === 0 || this.#stopping) return;
    this.#cancelSweep = this.#context.runtime.schedule(Math.max(100, this.#context.policy.idleCloseMs / 10), () => {
      this.#cancelSweep = undefined;
      void this.#sweep().finally(() => this.#armSweep());
    });
  }

  /** Closes what nobody uses. The timer runs only while databases are open. */
  async #sweep(): Promise<void> {
    const { runtime, policy } = this.#context;
    for (const [id, entry] of [...this.#open]) {
      const isSurplus = this.#open.size > this.#limits.maxOpen;
      const isIdle = runtime.monotonicMs() - entry.lastUsedMs >= policy.idleCloseMs;
      if (!isIdle && !isSurplus) break;
      if (entry.users > 0) continue;
      const database = await entry.database.catch(() => undefined);
      if (!database || entry.users > 0 || database.openStreams > 0 || !database.isQuiet || this.#open.get(id) !== entry)
        continue;
      this.#open.delete(id);
      void this.#alone(id, async () => database.close()).catch((error: unknown) => {
        this.#context.report('close failed', { database: id, error: String(error) });
      });
    }
  }

  #remember(label: string, description: DatabaseDescription): void {
    if (this.#byLabel.size >= this.#limits.maxRememberedNames) {
      const [oldest] = this.#byLabel.keys();
      if (oldest !== undefined) this.#byLabel.delete(oldest);
    }
    this.#byLabel.set(label, description);
  }

  #forget(address: DatabaseAddress): void {
    this.#forgotten += 1;
    this.#byLabel.delete(hostLabel(address));
  }

  #forgetId(id: DatabaseId): void {
    this.#forgotten += 1;
    for (const [label, description] of this.#byLabel) if (description.id === id) this.#byLabel.delete(label);
  }
}
