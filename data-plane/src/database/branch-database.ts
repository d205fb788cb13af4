/**
 * Branches: a new database that begins as another one was at a commit, in constant time. The new manifest names the
 * parent's generation and an archive with the few fragments after it; segments stay where they are and are shared.
 *
 * Order of writes: the child's name; a pin in the parent's manifest, by If-Match under the owner's term, so that it comes
 * before or after any decision to delete what it keeps; the archive; the child's manifest. A crash leaves a pin without
 * a child, which collection removes, or an archive that nothing names.
 */
import { ByocError } from '../errors/catalogue.js';
import type { ClientKey } from '../keys/client-key.js';
import type { EncryptionContext } from '../keys/key-service.js';
import type { Sealer } from '../keys/sealing.js';
import { encodeFragment, fragmentDigest } from '../storage/fragment.js';
import { nextFragment, openingFragment, type ChainPoint, type SealedFragment } from '../storage/fragment-chain.js';
import { readGeneration } from '../storage/generation.js';
import type { LogRange } from '../storage/log-location.js';
import { isServiceWrapped, lineOf, type Manifest, type WrappedDataKey } from '../storage/manifest.js';
import type { VersionedManifest } from '../storage/manifest-store.js';
import { isBeyond, type Moment } from '../storage/moment.js';
import { carriedFragmentsName } from '../storage/object-names.js';
import { chainPoint } from '../storage/restore.js';
import { findRestorePoint, type RestorePoint } from '../storage/restore-point.js';
import { Turns } from '../turns.js';
import { isDamage, newAttempt, storeCarried } from './carry-fragments.js';
import { admittedKey, clientEncryption } from './client-key-admission.js';
import { currentKeyOf, keysForBranch, newClientDataKey, newDataKey, unlock } from './database-keys.js';
import { confirmLater, createdBefore, description, takeName } from './database-records.js';
import type { DatabaseDescription, NewDatabase } from './database-service.js';
import type { NodeContext } from './node-context.js';
import { holdUnfoldedRanges, stillOwned, withUnfoldedRanges, type OwnedDatabase } from './ready-database.js';

/** Pins that one database may have: its manifest names them all. */
const maxPins = 10_000;
/** How often the parent may be folded under the work. */
const maxRounds = 10;
/** The term of what is sealed for a branch before it has an owner; owners count from 1. */
const termBeforeOwners = 0;
const latest: Moment = { commit: Infinity };

/** A branch, and the manifest of its parent as it is then. */
export interface MadeBranch {
  readonly branch: DatabaseDescription;
  readonly parent: VersionedManifest;
}

/**
 * Creates the branch `child` of a database that this epoch owns, from everything that is durable now or from the last
 * commit at a moment. Finds a branch that was made before under the same id. Throws `DATABASE_EXISTS`, `BRANCH_REFUSED`,
 * `RESTORE_POINT_NOT_FOUND`, `DATABASE_MOVED`, key errors and store errors, and the `ENCRYPTION_…` errors when the call does
 * not bring the key that the client of the parent holds.
 */
export async function branchDatabase(
  context: NodeContext,
  parent: OwnedDatabase,
  child: NewDatabase,
  moment: Moment = latest,
): Promise<MadeBranch> {
  const { manifest } = parent.owned;
  assertSameHome(manifest, child);
  if (manifest.awaitedFile) {
    throw new ByocError('DATABASE_AWAITS_FILE', `database ${manifest.name} awaits the file that it is to begin as`);
  }
  const client = admittedKey(manifest, child.encryption);
  try {
    return await branchAdmitted(context, parent, child, client, moment);
  } finally {
    client?.wipe();
  }
}

async function branchAdmitted(
  context: NodeContext,
  { owned, unlocked: { sealer } }: OwnedDatabase,
  child: NewDatabase,
  client: ClientKey | undefined,
  moment: Moment,
): Promise<MadeBranch> {
  const before = await createdBefore(context, child);
  if (before) return { branch: before, parent: owned };
  const { runtime, dataStore, logStore } = context;
  const find = async ({ manifest }: VersionedManifest, ranges: readonly LogRange[]): Promise<RestorePoint> =>
    findRestorePoint({ runtime, dataStore, logStore, sealer, manifest, ranges }, moment);
  // What can be refused is refused before the name is taken: it would stay taken.
  let parent = await foundIn(context, owned, find);
  let plan = await planned(context, parent.manifest, child, client);
  const plannedFor = parent.manifest;
  await takeName(context, child);

  for (let round = 1; round <= maxRounds; round++) {
    const { ranges, release } = holdUnfoldedRanges(context, parent.manifest);
    const attempt = newAttempt(context);
    try {
      const point = await find(parent, ranges);
      const pinned = await pin(context, parent, child, attempt, point);
      if (pinned) {
        parent = pinned;
        // What is pinned may be sealed under a data key that the parent did not have before.
        if (!sameRing(parent.manifest, plannedFor)) plan = await planned(context, parent.manifest, child, client);
        const manifest = await begun(context, {
          parent: parent.manifest,
          sealer,
          plan,
          client,
          attempt,
          point,
          moment,
        });
        if (await context.manifests.create(manifest)) {
          confirmLater(context, { organization: child.organization, database: child.name }, child.id);
          return { branch: description(manifest), parent };
        }
        const other = await createdBefore(context, child);
        if (other) return { branch: other, parent };
        throw new ByocError('DATABASE_EXISTS', `the id ${child.id} was used before`);
      }
      parent = await presentParent(context, parent);
    } catch (error) {
      parent = await changedParent(context, parent, error);
    } finally {
      release();
    }
  }
  throw tooManyRounds(owned.manifest);
}

/** The parent as it is when a moment was found in it. Throws `RESTORE_POINT_NOT_FOUND`, and what the store answers. */
async function foundIn(
  context: NodeContext,
  owned: VersionedManifest,
  find: (parent: VersionedManifest, ranges: readonly LogRange[]) => Promise<RestorePoint>,
): Promise<VersionedManifest> {
  let parent = owned;
  for (let round = 1; round <= maxRounds; round++) {
    const looked = parent;
    try {
      await withUnfoldedRanges(context, looked.manifest, async (ranges) => find(looked, ranges));
      return looked;
    } catch (error) {
      parent = await changedParent(context, looked, error);
    }
  }
  throw tooManyRounds(owned.manifest);
}

/**
 * The parent as it is now, after something of it was not found: when it was folded meanwhile and its log collected, that lies in an
 * archive now; when its garbage was collected, it is not kept any more, and the present manifest says so. Throws `error` when the
 * parent has not changed.
 */
async function changedParent(
  context: NodeContext,
  parent: VersionedManifest,
  error: unknown,
): Promise<VersionedManifest> {
  if (!isDamage(error)) throw error;
  const present = await presentParent(context, parent);
  if (present.manifest.version === parent.manifest.version) throw error;
  return present;
}

function tooManyRounds({ id }: Manifest): ByocError {
  return new ByocError('OVERLOADED', `database ${id} is folded faster than it can be branched`);
}

/** Whether two manifests of a database hold the same data keys. */
function sameRing(one: Manifest, other: Manifest): boolean {
  return (
    one.currentKey === other.currentKey &&
    one.keys.every(({ number, opens }) => other.keys.some((key) => key.number === number && key.opens === opens))
  );
}

function assertSameHome(parent: Manifest, child: NewDatabase): void {
  const isSame =
    parent.organization === child.organization && parent.group.id === child.group.id && parent.engine === child.engine;
  if (!isSame) {
    throw new ByocError('BRANCH_REFUSED', `a branch of ${parent.name} has its organization, group and engine`);
  }
  if ((parent.pins?.length ?? 0) >= maxPins) {
    throw new ByocError('BRANCH_REFUSED', `database ${parent.name} has ${maxPins} branches already`);
  }
}

/** What the child's manifest holds whatever it begins with. */
async function planned(
  context: NodeContext,
  parent: Manifest,
  child: NewDatabase,
  client: ClientKey | undefined,
): Promise<Manifest> {
  const { id, name, organization, group, engine } = child;
  const bound = { deployment: context.deployment, organization, group: group.id, database: id };
  const [key, inherited] = await Promise.all([
    ownKey(context, parent, child, client, bound),
    keysForBranch(context.runtime, context.keys, client, parent, bound),
  ]);
  const { encryption } = parent;
  return {
    version: 1,
    deployment: context.deployment,
    id,
    name,
    organization,
    group,
    engine,
    createdAtMs: context.runtime.nowMs(),
    reservedBytes: parent.reservedBytes,
    encryption:
      client && encryption.mode === 'client' ? clientEncryption(client, bound, encryption.cipher) : encryption,
    term: 1,
    owner: context.epoch,
    currentKey: key.number,
    keys: [key, ...inherited],
    tail: [],
    ancestors: lineOf(parent),
  };
}

/** The data key under which the branch seals what it writes, wrapped as its parent's are. */
async function ownKey(
  context: NodeContext,
  parent: Manifest,
  child: NewDatabase,
  client: ClientKey | undefined,
  bound: EncryptionContext,
): Promise<WrappedDataKey> {
  const current = currentKeyOf(parent);
  if (client === undefined) {
    return newDataKey(context.keys, bound, child.keyId ?? (isServiceWrapped(current) ? current.keyId : undefined));
  }
  if (child.keyId === undefined) return newClientDataKey(context.runtime, client, bound);
  throw new ByocError('BRANCH_REFUSED', `the client of ${parent.name} holds its key; a branch has no other`);
}

/**
 * Pins where the branch begins, if that is not the empty database. Undefined when the manifest has changed since the ranges
 * were held that the point was found in: a fold that came between may have taken fragments out of them.
 */
async function pin(
  context: NodeContext,
  parent: VersionedManifest,
  child: NewDatabase,
  attempt: string,
  { base }: RestorePoint,
): Promise<VersionedManifest | undefined> {
  if (!base) {
    const present = await presentParent(context, parent);
    return present.manifest.version === parent.manifest.version ? parent : undefined;
  }
  const pins = parent.manifest.pins ?? [];
  const added = { child: child.id, attempt, generation: base, pinnedAtMs: context.runtime.nowMs() };
  const result = await context.manifests.replace(parent, { ...parent.manifest, pins: [...pins, added] });
  return 'lost' in result ? undefined : result;
}

async function presentParent(context: NodeContext, { manifest }: VersionedManifest): Promise<VersionedManifest> {
  const present = await context.manifests.read(manifest.id);
  if (!present) throw new ByocError('STORE_OBJECT_MISSING', `the manifest of database ${manifest.id} is missing`);
  return stillOwned(context, manifest, present.manifest);
}

interface Beginning {
  readonly parent: Manifest;
  readonly sealer: Sealer;
  readonly plan: Manifest;
  readonly client: ClientKey | undefined;
  readonly attempt: string;
  readonly point: RestorePoint;
  readonly moment: Moment;
}

/** Gathers the fragments after the base, proves and stores them. Returns the child's manifest, which nothing names yet. */
async function begun(
  context: NodeContext,
  { parent, sealer, plan, client, attempt, point, moment }: Beginning,
): Promise<Manifest> {
  const { base, fragmentsAfter } = point;
  const { runtime, dataStore } = context;
  const turns = new Turns(runtime, 'background');
  const fragments: SealedFragment[] = [];
  let end: ChainPoint = chainPoint(base && (await readGeneration(runtime, dataStore, sealer, base)));
  for await (const fragment of fragmentsAfter(end)) {
    if (moment === latest) {
      fragments.push(fragment);
      continue;
    }
    const { commits, after } = await turns.run(openingFragment(sealer, fragment));
    const within = commits.filter(({ number, timeMs }) => !isBeyond(moment, number, timeMs));
    const last = within.at(-1);
    if (!last) break;
    if (within.length === commits.length) {
      fragments.push(fragment);
      end = after;
      continue;
    }
    // The moment lies within a fragment: its first commits become one of the child's own.
    const unlocked = await unlock(runtime, context.keys, plan, client);
    const bytes = encodeFragment(unlocked.sealer, plan.id, termBeforeOwners, end.chainDigest, within);
    unlocked.wipe();
    const own = nextFragment(carriedFragmentsName(plan.id, attempt), bytes, fragmentDigest(bytes), end, [plan.id]);
    fragments.push(own);
    end = { commit: last.number, commitTimeMs: last.timeMs, chainDigest: own.digest };
    break;
  }
  // Each fragment names the digest of the one before: the last one proves them all.
  const newest = moment === latest ? fragments.at(-1) : undefined;
  if (newest) end = (await turns.run(openingFragment(sealer, newest))).after;
  const { id: database, name } = parent;
  return {
    ...plan,
    ...(base && { generation: base }),
    ...(fragments.length > 0 && { carried: await storeCarried(context, plan.id, attempt, fragments) }),
    parent: {
      database,
      name,
      attempt,
      commit: end.commit,
      commitTimeMs: end.commitTimeMs,
      branchedAtMs: runtime.nowMs(),
    },
  };
}
