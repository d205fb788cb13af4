/** Creation, deletion and description of databases: what concerns their records in the store only. */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import { claim } from '../ownership/claim.js';
import { assertDatabaseAddress, type DatabaseAddress } from '../naming/host-label.js';
import { ciphers } from '../keys/ciphers.js';
import { ClientKey } from '../keys/client-key.js';
import type { EncryptionContext } from '../keys/key-service.js';
import { assertNotHeld } from '../storage/legal-hold.js';
import { isServiceWrapped, type Manifest } from '../storage/manifest.js';
import type { DatabaseDescription, NewDatabase } from './database-service.js';
import { carryUnfolded, isDamage } from './carry-fragments.js';
import { assertAdmitted, clientEncryption } from './client-key-admission.js';
import { currentKeyOf, newClientDataKey, newDataKey } from './database-keys.js';
import type { NamedDatabase } from '../storage/name-store.js';
import type { NodeContext } from './node-context.js';
import { manifestMissing, unfoldedRanges } from './ready-database.js';
import { isBeyondUndelete } from './shred-database.js';

/**
 * The database that has the name, or undefined: nobody has it, its creation was cut off, or it is being deleted. Throws
 * `STORE_OBJECT_MISSING` when it was created and its manifest is gone.
 */
export async function findByName(
  context: NodeContext,
  address: DatabaseAddress,
): Promise<DatabaseDescription | undefined> {
  const named = await context.names.lookUp(address);
  const found = named && (await context.manifests.readFirst(named.id));
  if (named?.isCreated === true && !found) {
    throw manifestMissing(named.id);
  }
  return found && found.manifest.deletedAtMs === undefined ? description(found.manifest) : undefined;
}

export async function describe(context: NodeContext, id: DatabaseId): Promise<DatabaseDescription | undefined> {
  const found = await context.manifests.read(id);
  return found && found.manifest.deletedAtMs === undefined ? description(found.manifest) : undefined;
}

/** Gives a database its name. Throws `DATABASE_EXISTS` when another one has it that is not deleted. */
export async function takeName(
  context: NodeContext,
  { id, name, organization }: Pick<NewDatabase, 'id' | 'name' | 'organization'>,
): Promise<NamedDatabase> {
  const address = { organization, database: name };
  for (;;) {
    const holder = await context.names.take(address, id);
    if (holder.id === id) return holder;
    if (!(await releaseDeleted(context, address, holder.id))) throw nameIsTaken(name);
  }
}

/**
 * Takes the name away from a database that is deleted: the call that gave it one, or took it away, may have been cut off, or
 * have come too late. Whether the database has it no more.
 */
async function releaseDeleted(context: NodeContext, address: DatabaseAddress, id: DatabaseId): Promise<boolean> {
  return context.names.release(address, id, async () => {
    const found = await context.manifests.read(id);
    return found?.manifest.deletedAtMs !== undefined;
  });
}

/**
 * Notes beside the name that the manifest is stored, so that a manifest that is gone later is known to have been there.
 * Nobody waits for it: without the note a lost manifest looks like a creation that was cut off, nothing else changes.
 */
export function confirmLater(context: NodeContext, address: DatabaseAddress, id: DatabaseId): void {
  context.names.confirm(address, id).catch((error: unknown) => {
    context.report('a creation was not noted beside its name', { database: id, error: String(error) });
  });
}

/**
 * The database that an earlier call with the same id created, or undefined. Throws `DATABASE_EXISTS` when the id was used
 * for something else, and the `ENCRYPTION_…` errors when the call does not bring the key that it was created with.
 */
export async function createdBefore(
  context: NodeContext,
  { id, name, organization, encryption }: NewDatabase,
): Promise<DatabaseDescription | undefined> {
  const existing = await context.manifests.read(id);
  if (!existing) return undefined;
  const { manifest } = existing;
  if (manifest.deletedAtMs === undefined && manifest.name === name && manifest.organization === organization) {
    assertAdmitted(manifest, encryption);
    return description(manifest);
  }
  throw new ByocError('DATABASE_EXISTS', `the id ${id} was used before`);
}

/**
 * The manifest, then the name record, which says of a database from the first that its manifest is stored: two writes, after
 * one look whether the name is free. A call that was cut off is completed by calling again with the same id; until then the
 * manifest is one that nobody can find by name. A database whose client holds the key gets its name first: whoever finishes
 * its creation without that key can only ask whether the manifest is there, which then says that the name is its. Throws `KEY_ID_INVALID`, `KEY_REVOKED`, `KEY_UNAVAILABLE`, `ENCRYPTION_KEY_MALFORMED`,
 * `ENCRYPTION_KEY_LENGTH`, `DATABASE_EXISTS` when another database has the name or the id was used before, `STORE_OBJECT_MISSING` when the database was created before and its manifest is gone.
 */
export async function createDatabase(context: NodeContext, database: NewDatabase): Promise<DatabaseDescription> {
  const { id, name, organization, group, engine, awaitsFile = false } = database;
  const address = { organization, database: name };
  const encryptionContext = { deployment: context.deployment, organization, group: group.id, database: id };
  // The key first: when the key service refuses, the name would stay taken.
  const { key, ...encryption } = await newKey(context, encryptionContext, database);
  const isNamedFirst = database.encryption !== undefined;
  const named = isNamedFirst ? await takeName(context, database) : await ownName(context, address, id);
  const manifest: Manifest = {
    version: 1,
    deployment: context.deployment,
    id,
    name,
    organization,
    group,
    engine,
    createdAtMs: context.runtime.nowMs(),
    ...encryption,
    term: 1,
    owner: context.epoch,
    currentKey: key.number,
    keys: [key],
    ...(awaitsFile && { awaitedFile: {} }),
    tail: [],
  };
  // What was created once is never created again, empty.
  const isCreatedNow = named?.isCreated !== true && (await context.manifests.create(manifest));
  const created = isCreatedNow ? description(manifest) : await createdBefore(context, database);
  if (!created) throw manifestMissing(id);
  if (isNamedFirst) confirmLater(context, address, id);
  else if (named?.isCreated !== true) await nameCreated(context, address, id);
  return created;
}

/** The name as this database has it, or undefined when it is free. Throws `DATABASE_EXISTS` as `takeName` does. */
async function ownName(
  context: NodeContext,
  address: DatabaseAddress,
  id: DatabaseId,
): Promise<NamedDatabase | undefined> {
  for (;;) {
    const named = await context.names.lookUp(address);
    if (!named || named.id === id) return named;
    if (!(await releaseDeleted(context, address, named.id))) throw nameIsTaken(address.database);
  }
}

/**
 * Gives a database that was just made its name. When another one was faster, what was made is deleted again. Throws
 * `DATABASE_EXISTS` then.
 */
async function nameCreated(context: NodeContext, address: DatabaseAddress, id: DatabaseId): Promise<void> {
  for (;;) {
    const holder = await context.names.takeCreated(address, id);
    if (holder === id) return;
    if (!(await releaseDeleted(context, address, holder))) break;
  }
  await deleteDatabase(context, id);
  throw nameIsTaken(address.database);
}

function nameIsTaken(name: string): ByocError {
  return new ByocError('DATABASE_EXISTS', `database with name ${name} already exists`);
}

/** The first data key of a database that is no branch, and what its manifest says of it. */
async function newKey(
  context: NodeContext,
  encryptionContext: EncryptionContext,
  { keyId, encryption }: NewDatabase,
): Promise<Pick<Manifest, 'encryption' | 'reservedBytes'> & { readonly key: Manifest['keys'][number] }> {
  if (!encryption) {
    return {
      key: await newDataKey(context.keys, encryptionContext, keyId),
      encryption: { mode: 'kms' },
      reservedBytes: 0,
    };
  }
  const { cipher } = encryption;
  if (cipher === undefined) throw new ByocError('MALFORMED_REQUEST', 'an encryption key needs a cipher');
  const client = ClientKey.parse(encryption.key, cipher);
  try {
    return {
      key: newClientDataKey(context.runtime, client, encryptionContext),
      encryption: clientEncryption(client, encryptionContext, cipher),
      reservedBytes: ciphers[cipher].reservedBytes,
    };
  } finally {
    client.wipe();
  }
}

/**
 * Turns the manifest into a tombstone and frees the name. Everything needed to bring the database back stays named in
 * the tombstone; what was not folded moves out of the logs first. Returns where the database was found, or undefined when
 * it never existed. Throws `DATABASE_HELD`, `DATABASE_MOVED` when another node owns it.
 */
export async function deleteDatabase(context: NodeContext, id: DatabaseId): Promise<DatabaseAddress | undefined> {
  const found = await context.manifests.read(id);
  if (!found) return undefined;
  const address = { organization: found.manifest.organization, database: found.manifest.name };
  for (let current = found; current.manifest.deletedAtMs === undefined;) {
    assertNotHeld(current.manifest, 'it is not deleted');
    const claimed = await claim(context.manifests, context.findRecovery, context.epoch, current);
    assertNotHeld(claimed.manifest, 'it is not deleted');
    const content = await contentToKeep(context, claimed.manifest);
    const { owner: _owner, carried: _carried, ...manifest } = claimed.manifest;
    const deletedAtMs = context.runtime.nowMs();
    const result = await context.manifests.replace(claimed, { ...manifest, ...content, deletedAtMs });
    if (!('lost' in result)) {
      // What the tombstone goes on naming must stay where it is.
      if (content.tail.length === 0) context.unfolded.forget(id);
      break;
    }
    // A fold of our own was faster, or another node; the claim tells which.
    const again = await context.manifests.read(id);
    if (!again) throw manifestMissing(id);
    current = again;
  }
  await releaseDeleted(context, address, id);
  return address;
}

async function contentToKeep(context: NodeContext, manifest: Manifest): Promise<Pick<Manifest, 'tail' | 'carried'>> {
  try {
    const carried = await carryUnfolded(context, manifest);
    return { tail: [], ...(carried && { carried }) };
  } catch (error) {
    if (!isDamage(error)) throw error;
    // A damaged database can be deleted, too. Its tombstone goes on naming what is left.
    context.report('a damaged database is deleted', { database: manifest.id, error: String(error) });
    const { carried } = manifest;
    return { tail: unfoldedRanges(context, manifest), ...(carried && { carried }) };
  }
}

/**
 * Brings a deleted database back, under a new name if one is given. Throws `DATABASE_NOT_FOUND` when it never existed,
 * `UNDELETE_EXPIRED` after the time that the deployment grants, and `DATABASE_EXISTS` when another one has the name, or was
 * faster: then it is deleted again.
 */
export async function undeleteDatabase(
  context: NodeContext,
  id: DatabaseId,
  newName?: string,
): Promise<DatabaseDescription> {
  for (;;) {
    const found = await context.manifests.read(id);
    if (!found) throw new ByocError('DATABASE_NOT_FOUND', 'database not found');
    const { deletedAtMs, ...manifest } = found.manifest;
    if (deletedAtMs === undefined) return description(manifest);
    if (isBeyondUndelete(context, found.manifest)) {
      const when = new Date(deletedAtMs).toISOString();
      throw new ByocError('UNDELETE_EXPIRED', `database ${manifest.name} was deleted at ${when}`);
    }
    const restored = { ...manifest, name: newName ?? manifest.name };
    const address = { organization: restored.organization, database: restored.name };
    assertDatabaseAddress(address);
    await takeName(context, restored);
    const result = await context.manifests.replace(found, restored);
    if ('lost' in result) continue;
    // A deletion, or a creation of the same name, that saw the tombstone may have taken the name away meanwhile.
    const holder = await context.names.takeBack(address, id);
    if (holder === id) return description(result.manifest);
    await deleteDatabase(context, id);
    throw nameIsTaken(address.database);
  }
}

export function description(manifest: Manifest): DatabaseDescription {
  const { id, name, organization, group, engine, createdAtMs, parent, encryption } = manifest;
  // What is left of a database whose content is gone has no key.
  const key = manifest.collected === true ? undefined : currentKeyOf(manifest);
  const encrypted = {
    ...(key && isServiceWrapped(key) && { keyId: key.keyId }),
    ...(encryption.mode === 'client' && { encryptionCipher: encryption.cipher }),
  };
  const from = parent && { id: parent.database, name: parent.name, branchedAtMs: parent.branchedAtMs };
  const awaited = manifest.awaitedFile && { awaitsFile: true };
  return {
    id,
    name,
    organization,
    group,
    engine,
    createdAtMs,
    ...encrypted,
    ...(from && { parent: from }),
    ...awaited,
  };
}
