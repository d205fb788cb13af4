/**
 * Creation and deletion of databases, across two stores that cannot change in one transaction: the catalog and the data
 * plane. The catalog's row comes first and leaves last, so a crash at any point leaves a row that names the unfinished
 * work, and every step may be repeated by anyone, at once or later, without changing the outcome.
 *
 * One thing is in no row: a key that a client holds. It is in memory while the request lasts that brought it. A creation with
 * such a key that was cut off is finished by whoever asks for it again with the key; without it, what the data plane has made
 * counts, and what it has not made is given up in the end. So it is with what opens a dump that a database is to begin as: a
 * creation that was cut off before the dump was loaded is given up, unless whoever has the address of the dump asks for it again.
 */
import { randomUUID } from 'node:crypto';
import { publishedMaxAgeMs } from '@turso-byoc/data-plane/auth/verification-keys.js';
import { newDatabaseId, type EngineName } from '@turso-byoc/data-plane/identity.js';
import type { CipherName } from '@turso-byoc/data-plane/keys/ciphers.js';
import type { AccessRulesPublisher } from '../access/access-rules-publisher.js';
import { setMaxBytes } from '../catalog/access-rules.js';
import type { CatalogConnection } from '../catalog/catalog-connection.js';
import {
  databasesOfGroup,
  insertCreating,
  limitsReads,
  markDeleting,
  markReady,
  removeCreating,
  removeDeleted,
  unmarkDeleting,
  type DatabaseRecord,
  type ParentDatabase,
} from '../catalog/databases.js';
import { extendLoad, giveUpLoad, leaseLoad, loadLeaseMs } from '../catalog/dump-loads.js';
import { forgetDeleted, type DeletedDatabase } from '../catalog/deleted-databases.js';
import { findGroupByUuid, markGroupDeleting, removeEmptyGroup, type GroupRecord } from '../catalog/groups.js';
import type { Clock } from '../clock.js';
import { AdminRefusal, type AdminClient, type AdminDatabase } from '../data-node/admin-client.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import type { DumpAddress } from './dump-address.js';
import { whileLeased } from './while-leased.js';

/** The points between two steps, at which a crash leaves something to finish. */
export type LifecycleStep =
  | 'creating-row-inserted'
  | 'dump-load-leased'
  | 'created-on-data-plane'
  | 'ready'
  | 'marked-deleting'
  | 'deleted-on-data-plane'
  | 'row-removed'
  | 'group-renamed'
  | 'rotation-recorded'
  | 'rotation-published';

/** Told when a step was reached, and of which database or group; lets tests end the process there. */
export type StepObserver = (step: LifecycleStep, name: string) => void;

export interface DatabaseRequest {
  readonly organization: string;
  readonly name: string;
  /** As it was found; a creation in a group that is not there any more, under this name, is refused. */
  readonly group: Pick<GroupRecord, 'uuid' | 'name' | 'keyId'>;
  readonly engine: EngineName;
  /** The key of the key service that is to wrap its data key. @default of a branch the parent's, else the group's */
  readonly keyId?: string;
  /** The client's key is to wrap it instead. */
  readonly clientEncryption?: { readonly key: string; readonly cipher: CipherName };
  /** Begin as a file that is uploaded to the data plane. */
  readonly awaitsFile?: boolean;
  /** Begin as a dump, with at most so many bytes. */
  readonly dump?: { readonly address: DumpAddress; readonly maxBytes: number | undefined };
  /** Begin as another database is, or was at a time. Group and engine are that database's. */
  readonly branch?: { readonly parent: ParentDatabase; readonly timeMs?: number };
}

/** Longer than a request works on a creation; after it nobody has the key any more. */
const keyAwaitedMs = 600_000;
const leaseRenewedMs = loadLeaseMs / 3;
/** Databases of a group that are looked at together. */
const parallelLooks = 16;
/** More rounds than any number of competing requests for one name should need. */
const maxRounds = 20;

export class DatabaseLifecycle {
  constructor(
    private readonly catalog: CatalogConnection,
    private readonly admin: AdminClient,
    private readonly clock: Clock,
    private readonly accessRules: Pick<AccessRulesPublisher, 'publish'>,
    private readonly observe: StepObserver = () => undefined,
  ) {}

  /** Tells the observer of a step that somebody else took. */
  reached(step: LifecycleStep, name: string): void {
    this.observe(step, name);
  }

  /**
   * Creates a database, or a branch of another one with the rules that limit reads of it, and returns its row. A creation of the same database that was left unfinished is finished, and
   * counts as this one. Of several requests for one name exactly one succeeds. Throws `GROUP_UNKNOWN`,
   * `QUOTA_EXCEEDED`, `DATABASE_EXISTS`, `DATABASE_REFUSED`, `DUMP_REFUSED`, `DATABASE_NOT_FOUND` (deleted meanwhile), `DATA_PLANE_UNAVAILABLE`,
   * and what publishing access rules throws.
   */
  async create(request: DatabaseRequest): Promise<DatabaseRecord> {
    const claimant = randomUUID();
    const { clientEncryption, group } = request;
    const keyId = keyFor(request);
    for (let round = 0; round < maxRounds; round += 1) {
      const uuid = newDatabaseId(request.engine, this.clock.now());
      const row = await insertCreating(this.catalog, {
        uuid,
        organization: request.organization,
        addressOrganization: request.organization,
        name: request.name,
        group,
        engine: request.engine,
        createdAtMs: this.clock.now(),
        origin: request.branch ? 'branch' : 'new',
        ...((request.awaitsFile === true || request.dump) && { awaitsFile: true }),
        ...(request.dump && { dump: request.dump.address.id }),
        ...(request.branch && { parent: request.branch.parent }),
        ...(request.branch?.timeMs !== undefined && { seedTimeMs: request.branch.timeMs }),
        ...(keyId !== undefined && { keyId }),
        ...(clientEncryption && { encryptionCipher: clientEncryption.cipher }),
      });
      if (row === 'no group') throw unknownGroup();
      if (row === 'no room') throw quotaExceeded();
      if (row.state === 'deleting') {
        await this.finishDeletion(row);
        continue;
      }
      if (row.uuid === uuid) this.observe('creating-row-inserted', row.name);
      else if (row.state === 'ready' || !isSameRequest(row, request)) throw alreadyExists(request.name);
      if (request.dump) {
        const lease = { loader: claimant, untilMs: this.clock.now() + loadLeaseMs };
        // It was given up, or became ready, just now.
        if (!(await leaseLoad(this.catalog, row.uuid, lease))) continue;
        const { maxBytes } = request.dump;
        // Before there is anything in it, so that whoever finishes it finds the limit set.
        if (maxBytes !== undefined) await this.catalog.write(setMaxBytes(row.uuid, maxBytes));
        this.observe('dump-load-leased', row.name);
      }
      return this.finishCreation(row, claimant, clientEncryption?.key, request.dump);
    }
    throw new ControlPlaneError('DATA_PLANE_UNAVAILABLE', `too many requests compete for the name ${request.name}`);
  }

  /**
   * Takes a `creating` row the rest of the way. With a claimant, returns only if that one gets the claim and throws
   * `DATABASE_EXISTS` otherwise; without one, leaves the claim to the request that began the creation. `clientKey`: of a
   * database whose client holds the key; `dump`: of one that is to begin as it, leased by the claimant.
   */
  async finishCreation(
    row: DatabaseRecord,
    claimant: string | undefined,
    clientKey?: string,
    dump?: DatabaseRequest['dump'],
  ): Promise<DatabaseRecord> {
    if (row.origin === 'branch' && limitsReads(row.configuration)) {
      // There is no copy before every data node knows who may read it.
      await this.accessRules.publish();
      await this.clock.sleep(publishedMaxAgeMs);
    }
    try {
      await this.#make(row, clientKey);
    } catch (error) {
      if (!(error instanceof AdminRefusal)) throw error;
      // Another request for this row was faster, with another key.
      if (error.code === 'ENCRYPTION_KEY_WRONG' && (await this.admin.exists(row.uuid))) {
        throw alreadyExists(row.name, error);
      }
      await removeCreating(this.catalog, row.uuid);
      if (error.code === 'DATABASE_EXISTS') throw alreadyExists(row.name, error);
      if (error.code === 'UNDELETE_EXPIRED') {
        await forgetDeleted(this.catalog, row.uuid);
        throw new ControlPlaneError('UNDELETE_EXPIRED', error.message, { cause: error });
      }
      throw new ControlPlaneError('DATABASE_REFUSED', error.message, { cause: error });
    }
    if (dump && claimant !== undefined) await this.#load(row, claimant, clientKey, dump);
    return this.#markReady(row, claimant);
  }

  /** A database that did not become what the dump says is not to be. Throws `DUMP_REFUSED`, `DATA_PLANE_…`. */
  async #load(
    row: DatabaseRecord,
    loader: string,
    clientKey: string | undefined,
    { address, maxBytes }: NonNullable<DatabaseRequest['dump']>,
  ): Promise<void> {
    const { catalog, clock, admin } = this;
    const renew = async (): Promise<void> =>
      extendLoad(catalog, row.uuid, { loader, untilMs: clock.now() + loadLeaseMs });
    try {
      await whileLeased({ clock, everyMs: leaseRenewedMs, renew }, async () =>
        admin.loadDump(row.uuid, address, { clientKey, maxBytes }),
      );
    } catch (error) {
      // A request before this one, whose control plane may be gone, had it loaded.
      if (error instanceof AdminRefusal && (await admin.contentOf(row.uuid)) === 'there') return;
      const outcome = await giveUpLoad(catalog, row.uuid, { loader });
      if (outcome === 'kept') throw alreadyExists(row.name, error);
      if (outcome === 'gone') throw deletedMeanwhile(row.name, error);
      await this.finishDeletion(row);
      if (!(error instanceof AdminRefusal)) throw error;
      throw new ControlPlaneError('DUMP_REFUSED', error.message, { cause: error });
    }
  }

  /**
   * Finishes a creation for nobody: whoever asked for it is gone. Returns whether it is done; it is not while somebody may
   * still have the client's key that it needs, or has its dump loaded. Throws as `finishCreation` does, and `DATABASE_NOT_FOUND`
   * when it was given up for want of the one or the other.
   */
  async finishLeftCreation(row: DatabaseRecord): Promise<boolean> {
    if (row.dump !== undefined) return this.#finishLeftLoad(row, row.dump);
    if (!needsClientKey(row)) {
      await this.finishCreation(row, undefined);
      return true;
    }
    if (await this.admin.exists(row.uuid)) {
      await this.#markReady(row, undefined);
      return true;
    }
    if (this.clock.now() < row.createdAtMs + keyAwaitedMs) return false;
    await this.#settleCreation(row);
    await this.admin.delete(row.uuid);
    await removeCreating(this.catalog, row.uuid);
    throw new ControlPlaneError('DATABASE_NOT_FOUND', `the creation of ${row.name} was cut off, and its key with it`);
  }

  async #finishLeftLoad(row: DatabaseRecord, dump: string): Promise<boolean> {
    if ((await this.admin.contentOf(row.uuid)) === 'there') {
      // The data node may have died before it did so itself.
      await this.admin.removeDump(dump);
      await this.#markReady(row, undefined);
      return true;
    }
    if ((await giveUpLoad(this.catalog, row.uuid, { nowMs: this.clock.now() })) === 'kept') return false;
    await this.finishLeftDeletion(row);
    throw new ControlPlaneError(
      'DATABASE_NOT_FOUND',
      `the creation of ${row.name} was cut off before its dump was loaded`,
    );
  }

  /** Finishes a deletion for nobody, and removes the dump that the database has not begun as. Throws `DATABASE_HELD`. */
  async finishLeftDeletion(row: DatabaseRecord): Promise<void> {
    if (row.dump !== undefined) await this.admin.removeDump(row.dump);
    await this.finishDeletion(row);
  }

  async #markReady(row: DatabaseRecord, claimant: string | undefined): Promise<DatabaseRecord> {
    this.observe('created-on-data-plane', row.name);
    const ready = await markReady(this.catalog, row.uuid, claimant);
    if (ready === undefined) {
      await this.admin.delete(row.uuid);
      throw deletedMeanwhile(row.name);
    }
    if (row.origin === 'undelete') await forgetDeleted(this.catalog, row.uuid);
    this.observe('ready', row.name);
    if (claimant !== undefined && ready.claimedBy !== claimant) throw alreadyExists(row.name);
    return { ...row, ...ready, state: 'ready' };
  }

  /**
   * Brings a deleted database back, under the name it had or another one, and returns its row. Throws `GROUP_UNKNOWN` when
   * its group is gone, `DATABASE_EXISTS` when the name is taken, `UNDELETE_EXPIRED`, and what `create` throws.
   */
  async undelete(deleted: DeletedDatabase, name = deleted.name): Promise<DatabaseRecord> {
    const claimant = randomUUID();
    for (let round = 0; round < maxRounds; round += 1) {
      const group = await findGroupByUuid(this.catalog, deleted.groupUuid);
      if (group === undefined) throw unknownGroup();
      const { groupUuid: _groupUuid, deletedAtMs: _deletedAtMs, ...kept } = deleted;
      const { uuid } = kept;
      const fields = { ...kept, name, group };
      const row = await insertCreating(this.catalog, { ...fields, origin: 'undelete' });
      if (row === 'no group') throw unknownGroup();
      if (row === 'no room') throw quotaExceeded();
      if (row.state === 'deleting') {
        await this.finishDeletion(row);
        continue;
      }
      if (row.uuid !== uuid || row.state === 'ready') throw alreadyExists(name);
      this.observe('creating-row-inserted', row.name);
      return this.finishCreation(row, claimant);
    }
    throw new ControlPlaneError('DATA_PLANE_UNAVAILABLE', `too many requests compete for the name ${name}`);
  }

  /**
   * Deletes a database; resolves when the data plane has it no more and the name is free. Throws `DELETE_PROTECTED`,
   * `DATABASE_HELD`, `DATABASE_NOT_FOUND` when another call was faster.
   */
  async delete(row: DatabaseRecord): Promise<void> {
    if (!(await markDeleting(this.catalog, row.uuid))) {
      if (row.configuration.deleteProtection) {
        throw new ControlPlaneError('DELETE_PROTECTED', `the database ${row.name} is protected against deletion`);
      }
      throw new ControlPlaneError(
        'DATABASE_NOT_FOUND',
        `could not find database with name ${row.name}: record not found`,
      );
    }
    this.observe('marked-deleting', row.name);
    await this.finishDeletion(row);
  }

  /** Takes a row that is marked as being deleted the rest of the way. Throws `DATABASE_HELD`; then it is `ready` again. */
  async finishDeletion(row: DatabaseRecord): Promise<void> {
    if (row.claimedBy === undefined) await this.#settleCreation(row);
    try {
      await this.admin.delete(row.uuid);
    } catch (error) {
      if (!(error instanceof AdminRefusal) || error.code !== 'DATABASE_HELD') throw error;
      await unmarkDeleting(this.catalog, row.uuid);
      throw held(row, error);
    }
    this.observe('deleted-on-data-plane', row.name);
    await removeDeleted(this.catalog, row.uuid, this.clock.now());
    this.observe('row-removed', row.name);
  }

  /**
   * Deletes a group with everything in it. Throws `DELETE_PROTECTED` when it, or a database in it, is protected, and
   * `DATABASE_HELD` when one is under a legal hold: then nothing is deleted, unless the hold came meanwhile.
   */
  async deleteGroup(group: Pick<GroupRecord, 'uuid' | 'name'>): Promise<void> {
    await this.#assertNoneHeld(group);
    if (!(await markGroupDeleting(this.catalog, group.uuid))) {
      throw new ControlPlaneError('DELETE_PROTECTED', `the group ${group.name}, or a database in it, is protected`);
    }
    for (const row of await databasesOfGroup(this.catalog, group.uuid)) await this.finishDeletion(row);
    await removeEmptyGroup(this.catalog, group.uuid);
  }

  async #assertNoneHeld({ uuid }: Pick<GroupRecord, 'uuid'>): Promise<void> {
    const rows = await databasesOfGroup(this.catalog, uuid);
    for (let from = 0; from < rows.length; from += parallelLooks) {
      await Promise.all(
        rows.slice(from, from + parallelLooks).map(async (row) => {
          if (await this.admin.isHeld(row.uuid)) throw held(row);
        }),
      );
    }
  }

  /**
   * A stalled creator may still send its call. Creating the database before deleting it leaves the id deleted on the
   * data plane, where that late call is then refused, instead of unknown, where it would make a database without a row.
   * In the place of one that needs a key of its client any other does.
   */
  async #settleCreation(row: DatabaseRecord): Promise<void> {
    try {
      if (needsClientKey(row)) await this.admin.create(identityOf(row));
      else await this.#make(row);
    } catch (error) {
      if (!(error instanceof AdminRefusal)) throw error;
    }
  }

  async #make(row: DatabaseRecord, clientKey?: string): Promise<void> {
    if (row.origin === 'undelete') await this.admin.undelete(row.uuid, row.name);
    else await this.admin.create(toAdminDatabase(row, clientKey));
  }
}

/** Whether making it takes a key that its client holds. */
function needsClientKey({ encryptionCipher, origin }: DatabaseRecord): boolean {
  return encryptionCipher !== undefined && origin !== 'undelete';
}

/** The key that is named for a database, by itself or by its group; a branch goes on with its parent's. */
function keyFor({ keyId, clientEncryption, branch, group }: DatabaseRequest): string | undefined {
  return keyId ?? (branch || clientEncryption ? undefined : group.keyId);
}

/** Whether an unfinished creation is of what is asked for now. */
function isSameRequest(row: DatabaseRecord, request: DatabaseRequest): boolean {
  const { engine, branch, clientEncryption, group } = request;
  return (
    row.engine === engine &&
    row.group.uuid === group.uuid &&
    row.origin === (branch ? 'branch' : 'new') &&
    row.parent?.uuid === branch?.parent.uuid &&
    row.seedTimeMs === branch?.timeMs &&
    (row.awaitsFile ?? false) === (request.awaitsFile === true || request.dump !== undefined) &&
    row.dump === request.dump?.address.id &&
    row.keyId === keyFor(request) &&
    row.encryptionCipher === clientEncryption?.cipher
  );
}

function identityOf(row: DatabaseRecord): AdminDatabase {
  return {
    id: row.uuid,
    name: row.name,
    organization: row.addressOrganization,
    group: { id: row.group.uuid, name: row.group.name },
    engine: row.engine,
  };
}

function toAdminDatabase(row: DatabaseRecord, clientKey: string | undefined): AdminDatabase {
  const cipher = row.encryptionCipher;
  return {
    ...identityOf(row),
    ...(row.keyId !== undefined && { keyId: row.keyId }),
    ...(clientKey !== undefined && cipher !== undefined && { encryption: { key: clientKey, cipher } }),
    ...(row.awaitsFile === true && { awaitsFile: true }),
    ...(row.origin === 'branch' && row.parent && { branch: toAdminBranch(row.parent, row.seedTimeMs) }),
  };
}

function toAdminBranch(parent: ParentDatabase, timeMs: number | undefined): NonNullable<AdminDatabase['branch']> {
  return { parent: parent.uuid, ...(timeMs !== undefined && { timeMs }) };
}

function held({ name }: DatabaseRecord, cause?: unknown): ControlPlaneError {
  return new ControlPlaneError('DATABASE_HELD', `the database ${name} is under a legal hold`, { cause });
}

function deletedMeanwhile(name: string, cause?: unknown): ControlPlaneError {
  return new ControlPlaneError('DATABASE_NOT_FOUND', `the database ${name} was deleted while it was created`, {
    cause,
  });
}

function quotaExceeded(): ControlPlaneError {
  return new ControlPlaneError('QUOTA_EXCEEDED', 'the organization or the group has as many databases as it may have');
}

function unknownGroup(): ControlPlaneError {
  return new ControlPlaneError('GROUP_UNKNOWN', 'group not found');
}

function alreadyExists(name: string, cause?: unknown): ControlPlaneError {
  return new ControlPlaneError('DATABASE_EXISTS', `database with name ${name} already exists`, { cause });
}
