/**
 * Has the data keys of many databases wrapped by another key, one database after the other, by whichever node owns each.
 * What is done is passed over, so a run that was cut off is completed by running it again.
 */
import { ByocError, type ErrorCode } from '../errors/catalogue.js';
import { answeredError } from '../errors/error-answer.js';
import type { DatabaseId } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { isServiceWrapped, type Manifest } from '../storage/manifest.js';
import { ManifestStore } from '../storage/manifest-store.js';

/** Which databases are meant. */
export type RewrapScope =
  { readonly database: DatabaseId } | { readonly organization?: string; readonly group?: string };

export interface RewrapInput {
  readonly runtime: Runtime;
  readonly dataStore: ObjectStore;
  readonly scope: RewrapScope;
  /** The key that is to wrap everything; its own name, not an alias, or every database is asked for every time. */
  readonly keyId: string;
  /** Databases a second at the most. */
  readonly perSecond: number;
  /** Has one database rewrapped; whether that changed anything. Throws the error of the node. */
  readonly rewrap: (id: DatabaseId) => Promise<boolean>;
  readonly progress: (counts: RewrapCounts) => void;
  readonly report: (id: DatabaseId, failure: string) => void;
  /** Told of a database whose client holds the key. */
  readonly passedOver: (id: DatabaseId) => void;
}

export interface RewrapCounts {
  /** Looked at, within the scope. */
  readonly databases: number;
  readonly rewrapped: number;
  readonly failed: number;
  /** Their clients hold the keys: nothing is to be done. */
  readonly heldByClients: number;
}

/** So many databases are under way together: each is a few requests to the store, one after the other. */
const atATime = 16;
/** Nodes that are busy, or databases that move, are asked again so often. */
const attempts = 5;
const firstDelayMs = 200;
/** A node may wait for the key service, and for another node. */
const patienceMs = 60_000;
const passing = new Set<string>([
  'DATABASE_MOVED',
  'SHUTTING_DOWN',
  'NOT_READY',
  'OVERLOADED',
  'KEY_UNAVAILABLE',
  'STORE_UNAVAILABLE',
  'OUTCOME_UNKNOWN',
] satisfies ErrorCode[]);

/** Throws `STORE_UNAVAILABLE`; a database that cannot be rewrapped is reported, and the others go on. */
export async function rewrapDatabases(input: RewrapInput): Promise<RewrapCounts> {
  const { runtime, dataStore, scope, keyId, perSecond, progress, report, passedOver } = input;
  const manifests = new ManifestStore(runtime, dataStore);
  const counts = { databases: 0, rewrapped: 0, failed: 0, heldByClients: 0 };
  let nextMs = runtime.monotonicMs();
  const isItsTurn = async (): Promise<void> => {
    const turnMs = Math.max(nextMs, runtime.monotonicMs());
    nextMs = turnMs + 1_000 / perSecond;
    await runtime.sleep(turnMs - runtime.monotonicMs());
  };
  const one = async (id: DatabaseId): Promise<void> => {
    const found = await manifests.read(id);
    if (!found) {
      report(id, `there is no database ${id}`);
      counts.failed += 1;
      return;
    }
    if (!isMeant(found.manifest, scope)) return;
    counts.databases += 1;
    const wrapped = found.manifest.keys.filter(isServiceWrapped);
    if (wrapped.length === 0 && found.manifest.keys.length > 0) {
      counts.heldByClients += 1;
      passedOver(id);
    } else if (!wrapped.every((key) => key.keyId === keyId)) {
      await isItsTurn();
      try {
        if (await tryOften(input, id)) counts.rewrapped += 1;
      } catch (error) {
        if (!(error instanceof ByocError)) throw error;
        counts.failed += 1;
        report(id, `${error.code}: ${error.message}`);
      }
    }
    progress(counts);
  };
  // All take from one listing, which is read as it is needed.
  const ids = 'database' in scope ? oneAlone(scope.database) : manifests.list();
  const work = async (): Promise<void> => {
    for (let next = await ids.next(); !next.done; next = await ids.next()) await one(next.value);
  };
  await Promise.all(Array.from({ length: atATime }, work));
  return counts;
}

async function* oneAlone(id: DatabaseId): AsyncGenerator<DatabaseId> {
  yield id;
}

function isMeant({ organization, group }: Manifest, scope: RewrapScope): boolean {
  if ('database' in scope) return true;
  if (scope.organization !== undefined && scope.organization !== organization) return false;
  return scope.group === undefined || scope.group === group.id || scope.group === group.name;
}

async function tryOften({ runtime, rewrap }: RewrapInput, id: DatabaseId): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await rewrap(id);
    } catch (error) {
      if (!(error instanceof ByocError) || !passing.has(error.code) || attempt === attempts) throw error;
      await runtime.sleep(firstDelayMs * 2 ** (attempt - 1) * (0.5 + runtime.randomFraction()));
    }
  }
}

/** Asks a node through its admin interface. Throws what it answers. */
export function rewrapThrough(
  adminUrl: string,
  credential: string,
  keyId: string,
): (id: DatabaseId) => Promise<boolean> {
  return async (id) => {
    let status: number;
    let body: Buffer;
    try {
      const response = await fetch(new URL(`/admin/v1/databases/${id}/rewrap`, adminUrl), {
        method: 'POST',
        headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
        body: JSON.stringify({ keyId }),
        signal: AbortSignal.timeout(patienceMs),
      });
      status = response.status;
      body = Buffer.from(await response.arrayBuffer());
    } catch (cause) {
      // It may have been done; doing it again does no harm.
      throw new ByocError('NOT_READY', `the node at ${adminUrl} does not answer`, { cause });
    }
    if (status === 200) return (JSON.parse(body.toString('utf8')) as { changed: boolean }).changed;
    throw answeredError(body) ?? new ByocError('INTERNAL', `the node at ${adminUrl} answered with status ${status}`);
  };
}
