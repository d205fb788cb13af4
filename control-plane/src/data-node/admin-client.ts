import { requestIdHeader } from '@turso-byoc/data-plane/server/request-id.js';
import { presentRequestId } from '../api/request-id.js';
import { databaseId, type DatabaseId, type EngineName } from '@turso-byoc/data-plane/identity.js';
import type { ShapedCosts } from '@turso-byoc/data-plane/engine/ipc/shaped-costs.js';
import type { UsagePage } from '@turso-byoc/data-plane/metering/stored-usage.js';
import type { UsageBatch } from '@turso-byoc/data-plane/metering/usage-batch.js';
import type { CipherName } from '@turso-byoc/data-plane/keys/ciphers.js';
import type { Tracing } from '@turso-byoc/data-plane/tracing/tracing.js';
import type { DumpAddress } from '../databases/dump-address.js';
import type { Clock } from '../clock.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import { isRetriable, isRetriableDataPlaneCode, isRetriableStatus } from '../retry/retriable-errors.js';
import { withRetry } from '../retry/with-retry.js';
import { Gathered } from '../gathered.js';
import { KeptAlive } from '../http-client/kept-alive.js';

export interface AdminClientOptions {
  /** The data node's admin listener, such as `http://127.0.0.1:9090`. */
  readonly url: string;
  /** The secret that both planes share. */
  readonly credential: string;
  readonly clock: Clock;
  /** How long a call keeps trying while the data node is away. */
  readonly retryBudgetMs: number;
  /** How long one attempt may take. */
  readonly attemptTimeoutMs: number;
  readonly tracing?: Tracing | undefined;
}

/** A database as the data plane's admin interface names it. */
export interface AdminDatabase {
  readonly id: DatabaseId;
  readonly name: string;
  readonly organization: string;
  readonly group: { readonly id: string; readonly name: string };
  readonly engine: EngineName;
  /** The key of the key service that is to wrap its data key. @default of a branch the parent's, else the deployment's */
  readonly keyId?: string;
  /** The client's key is to wrap it instead. Not repeated in any error of this client. */
  readonly encryption?: { readonly key: string; readonly cipher?: CipherName };
  /** It is to begin as a file that is uploaded, and takes nothing else before. */
  readonly awaitsFile?: boolean;
  /** Begin as another database is, or was at a time in milliseconds since 1970. */
  readonly branch?: { readonly parent: DatabaseId; readonly timeMs?: number };
}

/** What a data node's manifests say of a database. */
export interface InventoryEntry extends Omit<AdminDatabase, 'branch' | 'awaitsFile'> {
  readonly createdAtMs: number;
  /** Of one that was deleted. */
  readonly deletedAtMs?: number;
  readonly parent?: { readonly id: DatabaseId; readonly name: string };
}

/** The data node's answer to a call that it does not carry out, however often it is repeated. */
export class AdminRefusal extends Error {
  override readonly name = 'AdminRefusal';

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** "Later": never leaves this file. */
class AdminUnavailable extends Error {
  override readonly name = 'AdminUnavailable';

  constructor(readonly status: number) {
    super(`the data node answered with status ${status}`);
  }
}

interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Calls that create databases at a time, and how many one of them creates at most (as the data node allows). */
const maxCreationCalls = 4;
const maxCreations = 64;
/** A little longer than a data node loads a dump. */
const loadTimeoutMs = 660_000;

/**
 * The data node's admin interface. Every call is idempotent and is repeated while the data node is away; after that
 * `DATA_PLANE_UNAVAILABLE` is thrown.
 */
export class AdminClient {
  readonly #creations: Gathered<AdminDatabase, void>;
  readonly #http: KeptAlive;
  /** For what takes as long as a dump is large. */
  readonly #patient: KeptAlive;

  constructor(private readonly options: AdminClientOptions) {
    this.#http = new KeptAlive(options.attemptTimeoutMs, options.tracing);
    this.#patient = new KeptAlive(loadTimeoutMs, options.tracing);
    this.#creations = new Gathered({
      run: async (group) => this.#createAll(group),
      maxUnderWay: maxCreationCalls,
      maxWeight: maxCreations,
      weightOf: () => 1,
    });
  }

  /** The database of this name, or undefined. `retryBudgetMs` replaces the usual one. */
  async findByName(
    organization: string,
    name: string,
    retryBudgetMs?: number,
  ): Promise<{ id: DatabaseId } | undefined> {
    const path = `/admin/v1/organizations/${encodeURIComponent(organization)}/databases/${encodeURIComponent(name)}`;
    const reply = await this.#call('GET', path, undefined, retryBudgetMs);
    if (reply.status === 404) return undefined;
    const database = reply.body['database'];
    if (reply.status !== 200 || typeof database !== 'object' || database === null || !('id' in database)) {
      throw refusal(reply);
    }
    return { id: databaseId(database.id) };
  }

  /** Whether the database is there and not deleted. */
  async exists(id: DatabaseId): Promise<boolean> {
    return (await this.contentOf(id)) !== 'absent';
  }

  /** Whether the database is there, and if it still awaits the file that it is to begin as. */
  async contentOf(id: DatabaseId): Promise<'absent' | 'awaited' | 'there'> {
    const reply = await this.#call('GET', `/admin/v1/databases/${id}`);
    if (reply.status === 404 && reply.body['code'] === 'DATABASE_NOT_FOUND') return 'absent';
    const { database } = reply.body as { database?: { awaitsFile?: unknown } };
    if (reply.status !== 200 || typeof database !== 'object') throw refusal(reply);
    return database.awaitsFile === true ? 'awaited' : 'there';
  }

  /**
   * Creates the database, or finds that it was created before under the same id. Databases that are created at the same time
   * share a call; branches do not, which take as long as their parents are large. Throws `AdminRefusal`.
   */
  async create(database: AdminDatabase): Promise<void> {
    const { tracing } = this.options;
    const create = async (): Promise<void> =>
      database.branch ? this.#create(database) : this.#creations.add(database);
    return tracing ? tracing.part('database creation', { 'turso.database.id': database.id }, create) : create();
  }

  async #create(database: AdminDatabase): Promise<void> {
    const reply = await this.#call('POST', '/admin/v1/databases', database);
    if (reply.status !== 200) throw refusal(reply);
  }

  async #createAll(group: readonly AdminDatabase[]): Promise<PromiseSettledResult<void>[]> {
    const oneByOne = async (): Promise<PromiseSettledResult<void>[]> =>
      Promise.allSettled(group.map(async (database) => this.#create(database)));
    if (group.length === 1) return oneByOne();
    try {
      const reply = await this.#call('POST', '/admin/v1/creations', { databases: group });
      const { results } = reply.body as { results?: (Record<string, unknown> & { status?: number })[] };
      // A data node of an older release does not know the call.
      if (reply.status === 404) return await oneByOne();
      if (reply.status !== 200 || results?.length !== group.length) throw refusal(reply);
      return await Promise.allSettled(
        results.map(async (result, place) => {
          const { status = 200, code } = result;
          const database = group[place];
          // Once more, by itself, for as long as there is hope.
          if (database && isLater({ status, body: result })) return this.#create(database);
          if (status !== 200 || code !== undefined) throw refusal({ status, body: result });
        }),
      );
    } catch (reason) {
      return group.map(() => ({ status: 'rejected', reason }));
    }
  }

  /** Every database that there is or was, page by page. Throws `DATA_PLANE_…`. */
  async *inventory(): AsyncGenerator<InventoryEntry> {
    let after: string | null = '';
    while (after !== null) {
      const query = after === '' ? '' : `?after=${after}`;
      const reply = await this.#call('GET', `/admin/v1/databases${query}`);
      const { databases, next } = reply.body as { databases?: InventoryEntry[]; next?: string | null };
      if (reply.status !== 200 || !Array.isArray(databases)) throw refusal(reply);
      yield* databases;
      after = next ?? null;
    }
  }

  /** How large the database's file is in the store. Throws `AdminRefusal`. */
  async storedBytes(id: DatabaseId): Promise<number> {
    const reply = await this.#call('GET', `/admin/v1/databases/${id}/storage`);
    const { bytes } = reply.body;
    if (reply.status !== 200 || typeof bytes !== 'number') throw refusal(reply);
    return bytes;
  }

  /** Keeps a chunk of a dump, sealed under `key`, for a database that is to begin as it. Throws `AdminRefusal`. */
  async stageDump({ id, key }: Pick<DumpAddress, 'id' | 'key'>, chunk: number, content: Buffer): Promise<void> {
    const reply = await this.#call('PUT', `/admin/v1/dumps/${id}/${chunk}`, Buffer.concat([key, content]));
    if (reply.status !== 200) throw refusal(reply);
  }

  /** Removes a dump that no database will begin as, or finds it gone. Throws `AdminRefusal`. */
  async removeDump(id: string): Promise<void> {
    const reply = await this.#call('DELETE', `/admin/v1/dumps/${id}`);
    // A data node of an older release does not know the call, and removes the dump when it is a day old.
    if (reply.status !== 200 && reply.status !== 404) throw refusal(reply);
  }

  /**
   * Lets a database that awaits a file begin as a dump; tried once. Throws `AdminRefusal`, `DATA_PLANE_UNAVAILABLE`; no key is
   * repeated in any error.
   */
  async loadDump(
    database: DatabaseId,
    { id, chunks, key }: DumpAddress,
    { clientKey, maxBytes }: { readonly clientKey: string | undefined; readonly maxBytes: number | undefined },
  ): Promise<void> {
    const seed = {
      dump: id,
      chunks,
      key: key.toString('base64'),
      ...(clientKey !== undefined && { clientKey }),
      ...(maxBytes !== undefined && { maxBytes }),
    };
    const reply = await this.#call('POST', `/admin/v1/databases/${database}/dump`, seed, 0, this.#patient);
    if (reply.status !== 200) throw refusal(reply);
  }

  /**
   * The statements of a database that cost most since a time; none from a data node of a release that keeps none. Throws
   * `AdminRefusal`.
   */
  async topStatements(id: DatabaseId, sinceMs: number): Promise<ShapedCosts[]> {
    const reply = await this.#call('GET', `/admin/v1/databases/${id}/statements?since=${Math.max(0, sinceMs)}`);
    const { statements } = reply.body;
    if (reply.status === 404) return [];
    if (reply.status !== 200 || !Array.isArray(statements)) throw refusal(reply);
    return statements as ShapedCosts[];
  }

  /**
   * The first batches of what databases used, and whether there are more; none from a data node of a release that counts
   * nothing. Tried once: whoever asks comes back anyway. Throws `DATA_PLANE_…`.
   */
  async usage(): Promise<UsagePage> {
    const reply = await this.#call('GET', '/admin/v1/usage', undefined, 0);
    const { batches, more } = reply.body as { batches?: UsagePage['batches']; more?: unknown };
    if (reply.status === 404) return { batches: [], more: false };
    if (reply.status !== 200 || !Array.isArray(batches)) throw refusal(reply);
    return { batches: batches as UsagePage['batches'], more: more === true };
  }

  /** Lets the data nodes forget batches that the catalog holds. Throws `DATA_PLANE_…`. */
  async usageCollected(batches: readonly Pick<UsageBatch, 'epoch' | 'sequence'>[]): Promise<void> {
    const named = batches.map(({ epoch, sequence }) => ({ epoch, sequence }));
    const reply = await this.#call('POST', '/admin/v1/usage/collected', { batches: named });
    if (reply.status !== 200) throw refusal(reply);
  }

  /** Brings a deleted database back under this name, or finds that it is. Throws `AdminRefusal`. */
  async undelete(id: DatabaseId, name: string): Promise<void> {
    const reply = await this.#call('POST', `/admin/v1/databases/${id}/undelete`, { name });
    if (reply.status !== 200) throw refusal(reply);
  }

  /** Deletes the database, or finds it gone. Throws `AdminRefusal`. */
  async delete(id: DatabaseId): Promise<void> {
    const reply = await this.#call('DELETE', `/admin/v1/databases/${id}`);
    if (reply.status !== 200) throw refusal(reply);
  }

  /** Whether the database is under a legal hold; one that the data plane does not know is not. Throws `AdminRefusal`. */
  async isHeld(id: DatabaseId): Promise<boolean> {
    const reply = await this.#call('GET', `/admin/v1/databases/${id}/hold`);
    // Also of a data node of an older release, which has no holds.
    if (reply.status === 404) return false;
    const { holds } = (reply.body['hold'] ?? {}) as { holds?: unknown[] };
    if (reply.status !== 200 || !Array.isArray(holds)) throw refusal(reply);
    return holds.length > 0;
  }

  /** What the database is encrypted with, as the admin interface says it. Throws `AdminRefusal`. */
  async encryption(id: DatabaseId): Promise<Record<string, unknown>> {
    return this.#field('encryption', 'GET', `/admin/v1/databases/${id}/encryption`);
  }

  /** Gives the database another data key than `replaces`. Throws `AdminRefusal`. */
  async rekey(
    id: DatabaseId,
    asked: { readonly replaces: number; readonly dropHistory?: boolean },
  ): Promise<Record<string, unknown>> {
    return this.#field('encryption', 'POST', `/admin/v1/databases/${id}/rekey`, asked);
  }

  /**
   * Has the data keys of the database wrapped by another holder's key; `encryption`: the client's present one. Throws
   * `AdminRefusal`; no key is repeated in any error.
   */
  async changeHolder(
    id: DatabaseId,
    asked: {
      readonly encryption?: { readonly key: string };
      readonly to:
        | { readonly mode: 'kms'; readonly keyId?: string }
        | { readonly mode: 'client'; readonly key: string; readonly cipher: CipherName };
    },
  ): Promise<Record<string, unknown>> {
    return this.#field('encryption', 'POST', `/admin/v1/databases/${id}/encryption`, asked);
  }

  /** Destroys what wraps the data keys of a deleted database; its certificate. Throws `AdminRefusal`. */
  async shred(id: DatabaseId, asked: { readonly requestedBy: string }): Promise<Record<string, unknown>> {
    return this.#field('certificate', 'POST', `/admin/v1/databases/${id}/shred`, asked);
  }

  /** The certificate of that. Throws `AdminRefusal`. */
  async certificate(id: DatabaseId): Promise<Record<string, unknown>> {
    return this.#field('certificate', 'GET', `/admin/v1/databases/${id}/certificate`);
  }

  async #field(name: string, method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const reply = await this.#call(method, path, body);
    const value = reply.body[name];
    if (reply.status !== 200 || typeof value !== 'object' || value === null) throw refusal(reply);
    return value as Record<string, unknown>;
  }

  async #call(method: string, path: string, body?: unknown, retryBudgetMs?: number, http = this.#http): Promise<Reply> {
    const { clock } = this.options;
    try {
      return await withRetry(async () => this.#send(http, method, path, body), {
        clock,
        budgetMs: retryBudgetMs ?? this.options.retryBudgetMs,
        isRetriable,
      });
    } catch (error) {
      if (!isRetriable(error)) throw error;
      throw new ControlPlaneError('DATA_PLANE_UNAVAILABLE', 'the data node does not answer', { cause: error });
    }
  }

  async #send(http: KeptAlive, method: string, path: string, body: unknown): Promise<Reply> {
    const requestId = presentRequestId();
    const isBytes = Buffer.isBuffer(body);
    const answer = await http.call({
      method,
      url: new URL(path, this.options.url),
      operation: `${method} ${patternOf(path)}`,
      headers: {
        authorization: `Bearer ${this.options.credential}`,
        ...(requestId !== undefined && { [requestIdHeader]: requestId }),
        ...(body !== undefined && { 'content-type': isBytes ? 'application/octet-stream' : 'application/json' }),
      },
      ...(body !== undefined && { body: isBytes ? body : JSON.stringify(body) }),
    });
    const reply = { status: answer.status, body: parseObject(answer.body.toString('utf8')) };
    if (isLater(reply)) throw new AdminUnavailable(503);
    return reply;
  }
}

/** A path without what clients have named: `/admin/v1/databases/:id/storage`. */
function patternOf(path: string): string {
  const [bare = ''] = path.split('?', 1);
  return bare
    .replace(/\/organizations\/[^/]+\/databases\/[^/]+/, '/organizations/:organization/databases/:name')
    .replace(/^(\/admin\/v1\/databases)\/[^/]+/, '$1/:id')
    .replace(/^(\/admin\/v1\/dumps)\/[^/]+\/.*/, '$1/:dump/:chunk')
    .replace(/^(\/admin\/v1\/dumps)\/[^/:]+$/, '$1/:dump');
}

/** Whether the data node asks to be called again. */
function isLater({ status, body: { code } }: Reply): boolean {
  return status >= 400 && (typeof code === 'string' ? isRetriableDataPlaneCode(code) : isRetriableStatus(status));
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    // Not the data node's own words (a proxy's page, say); the status tells enough.
    return {};
  }
}

function refusal(reply: Reply): Error {
  const { code, message, error } = reply.body;
  if (reply.status === 401 || typeof code !== 'string' || reply.status >= 500) {
    const detail = typeof code === 'string' ? ` (${code})` : '';
    return new ControlPlaneError(
      'DATA_PLANE_REFUSED',
      `the data node refused a call of its admin interface with status ${reply.status}${detail}`,
    );
  }
  const text = typeof message === 'string' ? message : typeof error === 'string' ? error : code;
  return new AdminRefusal(reply.status, code, text);
}
