/** Creation, deletion and description of databases: what concerns their records in the store only. */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import { claim } from '../ownership/claim.js';
import type { DatabaseAddress } from '../naming/host-label.js';
import type { Manifest } from '../storage/manifest.js';
import type { DatabaseDescription, NewDatabase } from './database-service.js';
import { newDataKey } from './database-keys.js';
import type { NodeContext } from './node-context.js';
import { manifestMissing, unfoldedRanges } from './ready-database.js';

/**
 * The database that has the name, or undefined: nobody has it, its creation was cut off, or it is being deleted. Throws
 * `STORE_OBJECT_MISSING` when it was created and its manifest is gone.
 */
export async function findByName(
  context: NodeContext,
  address: DatabaseAddress,
): Promise<DatabaseDescription | undefined> {
  const named = await context.names.lookUp(address);
  const found = named && (await context.manifests.read(named.id));
  if (named?.isCreated === true && !found) {
    throw manifestMissing(named.id);
  }
  return found && found.manifest.deletedAtMs === undefined ? description(found.manifest) : undefined;
}

export async function describe(context: NodeContext, id: DatabaseId): Promise<DatabaseDescription | undefined> {
  const found = await context.manifests.read(id);
  return found && found.manifest.deletedAtMs === undefined ? description(found.manifest) : undefined;
}

/**
 * Name record, then manifest, then a note in the name record that it exists; a call that was cut off is completed by calling again with the same id. Throws
 * `DATABASE_EXISTS` when another database has the name or the id was used before, `STORE_OBJECT_MISSING` when the database
 * was created before and its manifest is gone.
 */
export async function createDatabase(context: NodeContext, database: NewDatabase): Promise<DatabaseDescription> {
  const { id, name, organization, group, engine } = database;
  const address = { organization, database: name };
  const encryptionContext = { deployment: context.deployment, organization, group: group.id, database: id };
  const [holder, key] = await Promise.all([
    context.names.take(address, id),
    newDataKey(context.keys, encryptionContext),
  ]);
  if (holder.id !== id) throw new ByocError('DATABASE_EXISTS', `database with name ${name} already exists`);
  const manifest: Manifest = {
    version: 1,
    deployment: context.deployment,
    id,
    name,
    organization,
    group,
    engine,
    createdAtMs: context.runtime.nowMs(),
    reservedBytes: 0,
    term: 1,
    owner: context.epoch,
    currentKey: key.number,
    keys: [key],
    tail: [],
  };
  // What was created once is never created again, empty.
  if (!holder.isCreated && (await context.manifests.create(manifest))) {
    await context.names.confirm(address, id);
    return description(manifest);
  }
  const existing = await context.manifests.read(id);
  if (holder.isCreated && !existing) {
    throw manifestMissing(id);
  }
  const same = existing?.manifest.deletedAtMs === undefined && existing?.manifest.name === name;
  if (!existing || !same || existing.manifest.organization !== organization) {
    throw new ByocError('DATABASE_EXISTS', `the id ${id} was used before`);
  }
  await context.names.confirm(address, id);
  return description(existing.manifest);
}

/**
 * Turns the manifest into a tombstone and frees the name. Everything needed to bring the database back stays named in
 * the tombstone. Returns where the database was found, or undefined when it never existed. Throws `DATABASE_MOVED` when
 * another node owns it.
 */
export async function deleteDatabase(context: NodeContext, id: DatabaseId): Promise<DatabaseAddress | undefined> {
  const found = await context.manifests.read(id);
  if (!found) return undefined;
  const address = { organization: found.manifest.organization, database: found.manifest.name };
  for (let current = found; current.manifest.deletedAtMs === undefined;) {
    const claimed = await claim(context.manifests, context.findRecovery, context.epoch, current);
    const { owner: _owner, ...manifest } = claimed.manifest;
    const tail = unfoldedRanges(context, claimed.manifest);
    const deletedAtMs = context.runtime.nowMs();
    const result = await context.manifests.replace(claimed, { ...manifest, tail, deletedAtMs });
    if (!('lost' in result)) {
      context.unfolded.forget(id);
      break;
    }
    // A fold of our own was faster, or another node; the claim tells which.
    const again = await context.manifests.read(id);
    if (!again) throw manifestMissing(id);
    current = again;
  }
  await context.names.release(address, id);
  return address;
}

function description({ id, name, organization, group, engine, createdAtMs }: Manifest): DatabaseDescription {
  return { id, name, organization, group, engine, createdAtMs };
}
