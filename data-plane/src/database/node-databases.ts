/** What one node does for databases: requests that run in them, changes of their records, and what operators ask for. */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { ShapedCosts } from '../engine/ipc/shaped-costs.js';
import { assertDatabaseAddress } from '../naming/host-label.js';
import { branchDatabase } from './branch-database.js';
import { changeWrappingOfClosed, type WrappingChange } from './change-wrapping.js';
import { collectClosed } from './collect-database.js';
import { rewrapClosed } from './rewrap-database.js';
import { createDatabase, deleteDatabase, describe, findByName, undeleteDatabase } from './database-records.js';
import { listDatabases, storedBytes } from './database-inventory.js';
import type {
  DatabaseDescription,
  DatabaseService,
  InventoryEntry,
  NewDatabase,
  DatabaseRequest,
  SqlRequest,
  SqlResponse,
} from './database-service.js';
import { pullLimits, type DatabasePulls } from './database-pulls.js';
import type { PreparedPull } from './pull-updates.js';
import { TableRights } from '../engine/process/table-rights.js';
import { decodePullRequest } from '../sync/pull-request.js';
import { jsonAnswer, type FileAnswer, type FileRequest } from './file-request.js';
import { finalizeUpload, startUpload, storeUploadedChunk } from './upload-database.js';
import { isUpload, UploadKeys, type UploadRequest } from './upload-keys.js';
import type { NodeContext } from './node-context.js';
import type { OpenDatabase } from './open-database.js';
import { encryptionState, type EncryptionState } from './encryption-state.js';
import { changeHoldOfClosed, holdState, type HoldChange, type HoldState } from './hold-database.js';
import { own } from './ready-database.js';
import { RememberedNames } from './remembered-names.js';
import { ResidentDatabases } from './resident-databases.js';
import { rekeyClosed, resealClosed, type RekeyRequest } from './rekey-database.js';
import { continuesStream } from './stream-request.js';
import { seedFromDump, type DumpSeed } from './seed-from-dump.js';
import { removeDump, StagedDump } from '../storage/staged-dump.js';
import { settleDatabase } from './settle-database.js';
import { readCertificate, requestShred, type ShredRequest } from './shred-database.js';
import { onStreamEnd } from './stream-end.js';
import { isResealing } from '../storage/data-key-use.js';
import { assertNotHeld } from '../storage/legal-hold.js';
import type { VersionedManifest } from '../storage/manifest-store.js';
import type { ShredCertificate } from '../storage/shred-certificate.js';

export interface NodeDatabasesLimits {
  /** Beyond this many the longest unused databases are closed early. */
  readonly maxOpen: number;
  /** Names whose database is remembered. */
  readonly maxRememberedNames: number;
}

export class NodeDatabases implements DatabaseService {
  readonly #context: NodeContext;
  readonly #residents: ResidentDatabases;
  readonly #names: RememberedNames;
  readonly #uploadKeys: UploadKeys;

  constructor(context: NodeContext, { maxOpen, maxRememberedNames }: NodeDatabasesLimits) {
    this.#context = context;
    this.#names = new RememberedNames(maxRememberedNames);
    this.#residents = new ResidentDatabases(context, { maxOpen, onNotFound: (id) => this.#names.forgetId(id) });
    this.#uploadKeys = new UploadKeys(context.runtime);
  }

  get openCount(): number {
    return this.#residents.count;
  }

  /** Streams of all of them that keep their database open. */
  get openStreams(): number {
    return this.#residents.openStreams;
  }

  async find(
    organization: string,
    name: string,
    { fresh = false }: { readonly fresh?: boolean } = {},
  ): Promise<DatabaseDescription | undefined> {
    const address = { organization, database: name };
    const remembered = fresh ? undefined : this.#names.get(address);
    return remembered ?? this.#names.lookUp(address, async () => findByName(this.#context, address));
  }

  async describe(id: DatabaseId): Promise<DatabaseDescription | undefined> {
    return describe(this.#context, id);
  }

  async inventory(after: DatabaseId | undefined, limit: number): Promise<InventoryEntry[]> {
    return listDatabases(this.#context, after, limit);
  }

  async storedBytes(id: DatabaseId): Promise<number> {
    return storedBytes(this.#context, id);
  }

  async topStatements(id: DatabaseId, sinceMs: number): Promise<ShapedCosts[]> {
    return this.#context.statements.top(id, sinceMs);
  }

  async stageDump(dump: string, chunk: number, key: Buffer, content: Buffer): Promise<void> {
    const staged = new StagedDump(this.#context, dump, key);
    try {
      await staged.write(chunk, content);
    } finally {
      staged.wipe();
    }
  }

  async removeDump(dump: string): Promise<void> {
    await removeDump(this.#context, dump);
  }

  async loadDump(id: DatabaseId, seed: DumpSeed): Promise<void> {
    this.#residents.assertServing();
    await seedFromDump(this.#context, id, seed, async (work) => this.#residents.alone(id, work));
  }

  /** Whether requests for the database can run here at once, or are about to. */
  isOpen(id: DatabaseId): boolean {
    return this.#residents.has(id);
  }

  /** `found` is the manifest when it was just read. */
  async execute(id: DatabaseId, request: DatabaseRequest, found?: VersionedManifest): Promise<SqlResponse> {
    return isSql(request) ? this.#executeSql(id, request, found) : this.#pull(id, request, found);
  }

  async #executeSql(id: DatabaseId, request: SqlRequest, found?: VersionedManifest): Promise<SqlResponse> {
    const { kind, body, clientKey } = request;
    const continues = (): boolean => continuesStream(kind, body);
    const { entry, database } = await this.#residents.enter(id, { continues, clientKey }, found);
    let response: SqlResponse | undefined;
    try {
      response = await database.execute(request);
    } finally {
      if (response === undefined || Buffer.isBuffer(response.body)) this.#residents.release(entry);
    }
    if (Buffer.isBuffer(response.body)) return response;
    return { status: response.status, body: onStreamEnd(response.body, () => this.#residents.release(entry)) };
  }

  /** Answers a pull. While it waits for a change it holds nothing: the database may be closed or handed over meanwhile. */
  async #pull(id: DatabaseId, request: DatabaseRequest, found?: VersionedManifest): Promise<SqlResponse> {
    const { runtime } = this.#context;
    const { signal, clientKey } = request;
    const { permissions } = request.restrictions ?? {};
    // A page holds whatever lies next to each other.
    if (permissions) new TableRights(permissions).checkReadsAll('a pull of pages');
    const pull = decodePullRequest(request.body);
    const mayWait = pull.clientRevision !== undefined && pull.serverRevision === undefined;
    const deadlineMs = runtime.monotonicMs() + (mayWait ? Math.min(pull.longPollTimeoutMs, pullLimits.maxWaitMs) : 0);
    for (let manifest = found; ; manifest = undefined) {
      const { entry, database } = await this.#residents.enter(id, { continues: () => false, clientKey }, manifest);
      let pulls: DatabasePulls;
      let prepared: PreparedPull;
      try {
        pulls = database.pulls(clientKey);
        prepared = await pulls.prepare(pull, request, () => this.#residents.release(entry));
      } catch (error) {
        this.#residents.release(entry);
        throw error;
      }
      const { body, commit, isUnchanged } = prepared;
      const leftMs = deadlineMs - runtime.monotonicMs();
      if (!isUnchanged || leftMs <= 0) return { status: 200, body };
      const unchanged = await whole(body);
      if ((await pulls.wait(commit, leftMs, signal)) === 'nothing') return { status: 200, body: unchanged };
    }
  }

  async serveFile(id: DatabaseId, request: FileRequest): Promise<FileAnswer> {
    if (isUpload(request)) return this.#serveUpload(id, request);
    const { entry, database } = await this.#residents.enter(
      id,
      { continues: () => false, clientKey: request.clientKey },
      undefined,
    );
    let answer: FileAnswer | undefined;
    try {
      answer = await database.serveFile(request);
    } finally {
      if (answer === undefined || Buffer.isBuffer(answer.body)) this.#residents.release(entry);
    }
    if (Buffer.isBuffer(answer.body)) return answer;
    return { ...answer, body: onStreamEnd(answer.body, () => this.#residents.release(entry)) };
  }

  /** Chunks may come side by side; what begins and ends an upload has the database to itself. */
  async #serveUpload(id: DatabaseId, request: UploadRequest): Promise<FileAnswer> {
    this.#residents.assertServing();
    const { operation, body } = request;
    const context = this.#context;
    const clientKey = this.#uploadKeys.keyFor(id, request.clientKey);
    switch (operation.kind) {
      case 'upload-start': {
        const { upload, chunkBytes } = await this.#residents.alone(id, async () =>
          startUpload(context, id, operation.sizeBytes, request.restrictions),
        );
        return jsonAnswer(200, { upload_id: upload, chunk_size: chunkBytes });
      }
      case 'upload-chunk':
        await storeUploadedChunk(context, id, operation, body, clientKey);
        this.#uploadKeys.keep(id, clientKey);
        return jsonAnswer(200, {});
      case 'upload-finalize':
        await this.#residents.alone(id, async () => finalizeUpload(context, id, operation.upload, clientKey));
        this.#uploadKeys.forget(id);
        return jsonAnswer(200, {});
    }
  }

  async create(database: NewDatabase): Promise<DatabaseDescription> {
    assertDatabaseAddress({ organization: database.organization, database: database.name });
    if (database.branch) return this.#branch(database, database.branch);
    return this.#residents.alone(database.id, async () => createDatabase(this.#context, database));
  }

  async undelete(id: DatabaseId, newName?: string): Promise<DatabaseDescription> {
    return this.#residents.alone(id, async () => undeleteDatabase(this.#context, id, newName));
  }

  async collect(id: DatabaseId): Promise<void> {
    await this.#change(
      id,
      async (database) => database.changes.collect(),
      async (found) => collectClosed(this.#context, found),
    );
  }

  async rewrap(id: DatabaseId, keyId: string): Promise<boolean> {
    return this.#change(
      id,
      async (database) => database.changes.rewrap(keyId),
      async (found) => rewrapClosed(this.#context, found, keyId),
    );
  }

  async rekey(id: DatabaseId, request: RekeyRequest): Promise<EncryptionState> {
    while (this.#residents.has(id)) {
      const done = await this.#residents.whileOpen(id, async (database) => database.changes.rekey(request));
      if (done) return this.encryption(id);
    }
    await this.#residents.alone(id, async () => rekeyClosed(this.#context, await this.#manifestToChange(id), request));
    // What is left is done by the next call, by whoever opens the database, or by the next look for garbage.
    const resealed = await this.#resealStep(id);
    if (resealed && !isResealing(resealed.manifest) && resealed.manifest.retiring?.some((key) => key.dropHistory)) {
      await this.collect(id);
    }
    return this.encryption(id);
  }

  async changeWrapping(id: DatabaseId, change: WrappingChange): Promise<EncryptionState> {
    await this.#change<unknown>(
      id,
      async (database) => database.changes.changeWrapping(change),
      async (found) => changeWrappingOfClosed(this.#context, found, change),
    );
    this.#names.forgetId(id);
    return this.encryption(id);
  }

  /** Ends the work of sealing a database anew that nobody has open. Throws what `resealClosed` throws. */
  async reseal(id: DatabaseId): Promise<void> {
    for (let more = await this.#resealStep(id); more && isResealing(more.manifest);) more = await this.#resealStep(id);
  }

  /** Undefined when it is open, which makes it go on by itself, or deleted. */
  async #resealStep(id: DatabaseId): Promise<VersionedManifest | undefined> {
    return this.#residents.alone(id, async () => {
      const found = await this.#manifestToChange(id);
      const { deletedAtMs, encryption } = found.manifest;
      if (this.#residents.has(id) || deletedAtMs !== undefined || encryption.mode === 'client') return undefined;
      return resealClosed(this.#context, found);
    });
  }

  async encryption(id: DatabaseId): Promise<EncryptionState> {
    const found = await this.#context.manifests.read(id);
    if (!found || found.manifest.deletedAtMs !== undefined) {
      throw new ByocError('DATABASE_NOT_FOUND', 'database not found');
    }
    return encryptionState(this.#context, found.manifest);
  }

  async shred(id: DatabaseId, request: ShredRequest): Promise<ShredCertificate> {
    await this.#residents.alone(id, async () => {
      const found = await this.#manifestToChange(id);
      if (found.manifest.certificate === undefined) {
        await collectClosed(this.#context, await requestShred(this.#context, found, request));
      }
    });
    return this.certificate(id);
  }

  async certificate(id: DatabaseId): Promise<ShredCertificate> {
    return readCertificate(this.#context, id);
  }

  async changeHold(id: DatabaseId, change: HoldChange): Promise<HoldState> {
    await this.#change<unknown>(
      id,
      async (database) => database.changes.changeHold(change),
      async (found) => changeHoldOfClosed(this.#context, found, change),
    );
    return this.holds(id);
  }

  async holds(id: DatabaseId): Promise<HoldState> {
    const found = await this.#context.manifests.read(id);
    if (!found) throw new ByocError('DATABASE_NOT_FOUND', 'database not found');
    return holdState(found.manifest);
  }

  /** Changes a database by whoever has it open here, or alone while nobody has. */
  async #change<T>(
    id: DatabaseId,
    open: (database: OpenDatabase) => Promise<T>,
    closed: (found: VersionedManifest) => Promise<T>,
  ): Promise<T> {
    while (this.#residents.has(id)) {
      const done = await this.#residents.whileOpen(id, open);
      if (done) return done.result;
    }
    return this.#residents.alone(id, async () => closed(await this.#manifestToChange(id)));
  }

  async #manifestToChange(id: DatabaseId): Promise<VersionedManifest> {
    this.#residents.assertServing();
    const found = await this.#context.manifests.read(id);
    if (!found) throw new ByocError('DATABASE_NOT_FOUND', 'database not found');
    return found;
  }

  async delete(id: DatabaseId): Promise<void> {
    await this.#residents.alone(id, async () => {
      const deleted = new ByocError('DATABASE_NOT_FOUND', 'the database was deleted');
      await this.#residents.evict(id, deleted, async (opened) => {
        const manifest = opened?.manifest ?? (await this.#context.manifests.read(id))?.manifest;
        if (manifest) assertNotHeld(manifest, 'it is not deleted');
      });
      this.#context.statements.forget(id);
      const address = await deleteDatabase(this.#context, id);
      if (address) this.#names.forget(address);
    });
  }

  /** Answers everything with `error` and opens nothing any more: this epoch has ended. */
  abandon(error: ByocError): void {
    this.#residents.abandon(error);
  }

  /** Closes every database; running requests have ended before, or are lost. */
  async close(): Promise<void> {
    await this.#residents.close();
  }

  /** Hands every open database over, and takes no more; see `ResidentDatabases.handOver`. */
  async handOver(): Promise<void> {
    await this.#residents.handOver();
  }

  /** Hands over what nobody uses here and would be better off on another node. */
  async rebalance(): Promise<void> {
    await this.#residents.rebalance();
  }

  /** A database that is not open is branched without opening it: what it consists of is in the store. */
  async #branch(
    child: NewDatabase,
    { parent, timeMs }: NonNullable<NewDatabase['branch']>,
  ): Promise<DatabaseDescription> {
    const moment = timeMs === undefined ? undefined : { timeMs };
    while (this.#residents.has(parent)) {
      const done = await this.#residents.whileOpen(parent, async (database) => database.branch(child, moment));
      if (done) return done.result;
    }
    return this.#residents.alone(parent, async () => {
      this.#residents.assertServing();
      const owned = await own(this.#context, parent, { presented: child.encryption });
      try {
        return (await branchDatabase(this.#context, owned, child, moment)).branch;
      } finally {
        owned.unlocked.wipe();
      }
    });
  }

  /**
   * Makes a database independent of the logs of ended epochs: claims it if need be, folds it, and gives it up again. Throws
   * `OVERLOADED` while it is in use here, which makes it so in time, and what `own` and `foldDatabase` throw.
   */
  async settle(id: DatabaseId): Promise<void> {
    await this.#residents.alone(id, async () => {
      this.#residents.assertServing();
      if (this.#residents.has(id)) throw new ByocError('OVERLOADED', `database ${id} is in use`);
      await settleDatabase(this.#context, id);
    });
  }
}

function isSql(request: DatabaseRequest): request is SqlRequest {
  return request.kind !== 'pull-updates';
}

async function whole(parts: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const part of parts) all.push(part);
  return Buffer.concat(all);
}
