/**
 * Has something done to many databases, several at a time, by whichever node owns each. What is done is passed over, so a
 * run that was cut off is completed by running it again.
 */
import { ByocError, type ErrorCode } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import type { Manifest } from '../storage/manifest.js';
import { ManifestStore } from '../storage/manifest-store.js';

/** Which databases are meant. */
export type DatabaseScope =
  { readonly database: DatabaseId } | { readonly organization?: string; readonly group?: string };

export interface EachDatabaseInput {
  readonly runtime: Runtime;
  readonly dataStore: ObjectStore;
  readonly scope: DatabaseScope;
  /** Databases a second at the most. */
  readonly perSecond: number;
  /** Whether there is something to do to it. */
  readonly judge: (manifest: Manifest) => 'done' | 'due' | 'heldByClient';
  /** Does it; whether that changed anything. May be repeated. Throws the error of the node. */
  readonly change: (manifest: Manifest) => Promise<boolean>;
  readonly progress: (counts: DatabaseCounts) => void;
  readonly report: (id: DatabaseId, failure: string) => void;
  /** Told of a database whose client holds the key. */
  readonly passedOver: (id: DatabaseId) => void;
}

export interface DatabaseCounts {
  /** Looked at, within the scope. */
  readonly databases: number;
  readonly changed: number;
  readonly failed: number;
  /** Their clients hold the keys: nothing is to be done. */
  readonly heldByClients: number;
}

/** So many databases are under way together: each is a few requests to the store, one after the other. */
const atATime = 16;
/** Nodes that are busy, or databases that move, are asked again so often. */
const attempts = 5;
const firstDelayMs = 200;
const passing = new Set<string>([
  'DATABASE_MOVED',
  'SHUTTING_DOWN',
  'NOT_READY',
  'OVERLOADED',
  'KEY_UNAVAILABLE',
  'STORE_UNAVAILABLE',
  'OUTCOME_UNKNOWN',
] satisfies ErrorCode[]);

/** Throws `STORE_UNAVAILABLE`; a database that cannot be changed is reported, and the others go on. */
export async function eachDatabase(input: EachDatabaseInput): Promise<DatabaseCounts> {
  const { runtime, dataStore, scope, perSecond, judge, progress, report, passedOver } = input;
  const manifests = new ManifestStore(runtime, dataStore);
  const counts = { databases: 0, changed: 0, failed: 0, heldByClients: 0 };
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
    const judgement = judge(found.manifest);
    if (judgement === 'heldByClient') {
      counts.heldByClients += 1;
      passedOver(id);
    } else if (judgement === 'due') {
      await isItsTurn();
      try {
        if (await tryOften(input, found.manifest)) counts.changed += 1;
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

function isMeant({ organization, group }: Manifest, scope: DatabaseScope): boolean {
  if ('database' in scope) return true;
  if (scope.organization !== undefined && scope.organization !== organization) return false;
  return scope.group === undefined || scope.group === group.id || scope.group === group.name;
}

async function tryOften({ runtime, change }: EachDatabaseInput, manifest: Manifest): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await change(manifest);
    } catch (error) {
      if (!(error instanceof ByocError) || !passing.has(error.code) || attempt === attempts) throw error;
      await runtime.sleep(firstDelayMs * 2 ** (attempt - 1) * (0.5 + runtime.randomFraction()));
    }
  }
}
