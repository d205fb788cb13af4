import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { JWTPayload } from 'jose';
import pino, { type Logger } from 'pino';
import { PublishedRules } from '../../src/auth/published-rules.js';
import { verificationKeysObject } from '../../src/auth/claims.js';
import { TokenVerifier } from '../../src/auth/token-verifier.js';
import { VerificationKeys } from '../../src/auth/verification-keys.js';
import type {
  DatabaseDescription,
  DatabaseService,
  InventoryEntry,
  NewDatabase,
  SqlRequest,
  SqlResponse,
} from '../../src/database/database-service.js';
import { jsonAnswer, type FileAnswer, type FileRequest } from '../../src/database/file-request.js';
import type { WrappingChange } from '../../src/database/change-wrapping.js';
import type { EncryptionState } from '../../src/database/encryption-state.js';
import type { HoldChange, HoldState } from '../../src/database/hold-database.js';
import type { RekeyRequest } from '../../src/database/rekey-database.js';
import type { ShredRequest } from '../../src/database/shred-database.js';
import { ByocError } from '../../src/errors/catalogue.js';
import { databaseId, type DatabaseId } from '../../src/identity.js';
import type { ShapedCosts } from '../../src/engine/ipc/shaped-costs.js';
import { Metrics } from '../../src/metering/metrics.js';
import type { ETag, ObjectStore } from '../../src/object-store/object-store.js';
import { systemRuntime } from '../../src/runtime.js';
import type { ShredCertificate } from '../../src/storage/shred-certificate.js';
import { createDataServer, type DataServerOptions } from '../../src/server/data-server.js';
import { keySetBytes, tokenIssuer, type TokenIssuer } from './token-issuer.js';

export const shop: DatabaseDescription = {
  id: databaseId('11111111-1111-4111-8111-111111111111'),
  name: 'shop',
  organization: 'acme',
  group: { id: '22222222-2222-4222-8222-222222222222', name: 'default' },
  engine: 'libsql',
  createdAtMs: 1_700_000_000_000,
  keyId: 'default',
};
export const wiki: DatabaseDescription = {
  ...shop,
  id: databaseId('33333333-3333-4333-8333-333333333333'),
  name: 'wiki',
  group: { id: '44444444-4444-4444-8444-444444444444', name: 'other' },
};

function encryptionOf(id: DatabaseId): EncryptionState {
  return { id, mode: 'kms', currentKey: 1, currentKeySinceMs: 0, isResealed: true, dataKeys: [] };
}

/** Databases that are a list, and SQL that is a function: the server's side of the seam, complete. */
export class ListedDatabases implements DatabaseService {
  readonly deleted: DatabaseDescription[] = [];
  readonly collected: DatabaseId[] = [];
  readonly rewrapped: [DatabaseId, string][] = [];
  readonly rewrappedBy: [DatabaseId, WrappingChange][] = [];
  readonly rekeyed: [DatabaseId, RekeyRequest][] = [];
  readonly shredded: [DatabaseId, ShredRequest][] = [];
  readonly holdChanges: [DatabaseId, HoldChange][] = [];
  readonly requests: { readonly id: DatabaseId; readonly request: SqlRequest }[] = [];
  run: (request: SqlRequest, id: DatabaseId) => Promise<SqlResponse> = async () => ({
    status: 200,
    body: Buffer.from('{}'),
  });

  constructor(public list: DatabaseDescription[] = [shop, wiki]) {}

  async find(organization: string, name: string): Promise<DatabaseDescription | undefined> {
    return this.list.find((database) => database.organization === organization && database.name === name);
  }

  async describe(id: DatabaseId): Promise<DatabaseDescription | undefined> {
    return this.list.find((database) => database.id === id);
  }

  async inventory(after: DatabaseId | undefined, limit: number): Promise<InventoryEntry[]> {
    const all = [...this.list, ...this.deleted.map((each) => ({ ...each, deletedAtMs: 1_800_000_000_001 }))];
    const sorted = all.sort((one, other) => (one.id < other.id ? -1 : 1));
    return sorted.filter(({ id }) => after === undefined || id > after).slice(0, limit);
  }

  async storedBytes(id: DatabaseId): Promise<number> {
    if ((await this.describe(id)) === undefined) throw new ByocError('DATABASE_NOT_FOUND', 'database not found');
    return 8_192;
  }

  async stageDump(): Promise<void> {
    throw new ByocError('INTERNAL', 'no dumps here');
  }

  async removeDump(): Promise<void> {
    throw new ByocError('INTERNAL', 'no dumps here');
  }

  async loadDump(): Promise<void> {
    throw new ByocError('INTERNAL', 'no dumps here');
  }

  async topStatements(): Promise<ShapedCosts[]> {
    return [{ shape: 'SELECT ?', count: 1, rowsRead: 1, rowsWritten: 0 }];
  }

  async execute(id: DatabaseId, request: SqlRequest): Promise<SqlResponse> {
    this.requests.push({ id, request });
    return this.run(request, id);
  }

  readonly fileRequests: { readonly id: DatabaseId; readonly request: FileRequest }[] = [];
  serve: (request: FileRequest) => Promise<FileAnswer> = async () => jsonAnswer(200, {});

  async serveFile(id: DatabaseId, request: FileRequest): Promise<FileAnswer> {
    this.fileRequests.push({ id, request });
    return this.serve(request);
  }

  async create(database: NewDatabase): Promise<DatabaseDescription> {
    const existing = await this.find(database.organization, database.name);
    if (existing?.id === database.id) return existing;
    if (existing !== undefined) throw new ByocError('DATABASE_EXISTS', 'the name is taken');
    const { branch, ...fields } = database;
    const createdAtMs = 1_800_000_000_000;
    const parent = branch && this.list.find(({ id }) => id === branch.parent);
    if (branch && !parent) throw new ByocError('DATABASE_NOT_FOUND', 'database not found');
    const from = parent && { id: parent.id, name: parent.name, branchedAtMs: branch.timeMs ?? createdAtMs };
    const created = { keyId: 'default', ...fields, createdAtMs, ...(from && { parent: from }) };
    this.list.push(created);
    return created;
  }

  async undelete(id: DatabaseId, newName?: string): Promise<DatabaseDescription> {
    const found = this.deleted.find((database) => database.id === id);
    if (found === undefined) throw new ByocError('DATABASE_NOT_FOUND', 'database not found');
    const restored = { ...found, name: newName ?? found.name };
    this.list.push(restored);
    return restored;
  }

  async rewrap(id: DatabaseId, keyId: string): Promise<boolean> {
    this.rewrapped.push([id, keyId]);
    return true;
  }

  async rekey(id: DatabaseId, request: RekeyRequest): Promise<EncryptionState> {
    this.rekeyed.push([id, request]);
    return encryptionOf(id);
  }

  async changeWrapping(id: DatabaseId, change: WrappingChange): Promise<EncryptionState> {
    this.rewrappedBy.push([id, change]);
    return encryptionOf(id);
  }

  async encryption(id: DatabaseId): Promise<EncryptionState> {
    return encryptionOf(id);
  }

  async shred(id: DatabaseId, request: ShredRequest): Promise<ShredCertificate> {
    this.shredded.push([id, request]);
    return { database: id } as ShredCertificate;
  }

  async certificate(id: DatabaseId): Promise<ShredCertificate> {
    if (this.shredded.some(([shredded]) => shredded === id)) return { database: id } as ShredCertificate;
    throw new ByocError('CERTIFICATE_NOT_FOUND', 'there is none');
  }

  async changeHold(id: DatabaseId, change: HoldChange): Promise<HoldState> {
    this.holdChanges.push([id, change]);
    return this.holds(id);
  }

  async holds(id: DatabaseId): Promise<HoldState> {
    return { id, name: 'held', holds: [], released: [] };
  }

  async collect(id: DatabaseId): Promise<void> {
    this.collected.push(id);
  }

  async delete(id: DatabaseId): Promise<void> {
    this.deleted.push(...this.list.filter((database) => database.id === id));
    this.list = this.list.filter((database) => database.id !== id);
  }
}

export interface RunningDataServer {
  readonly app: FastifyInstance;
  readonly port: number;
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  readonly issuer: TokenIssuer;
  readonly databases: ListedDatabases;
  readonly metrics: Metrics;
  /** Lines of the log, as JSON objects. */
  readonly logLines: Record<string, unknown>[];
  /** A valid token; for the database `shop` unless the claims say otherwise. */
  token(claims?: JWTPayload): Promise<string>;
}

export function collectingLog(): { log: Logger; logLines: Record<string, unknown>[] } {
  const logLines: Record<string, unknown>[] = [];
  const write = (line: string): void => void logLines.push(JSON.parse(line) as Record<string, unknown>);
  return { log: pino({ level: 'debug' }, { write }), logLines };
}

/** A data server on a free loopback port, with real tokens and `ListedDatabases`; the caller closes `app`. */
export async function startDataServer(overrides: Partial<DataServerOptions> = {}): Promise<RunningDataServer> {
  const issuer = tokenIssuer('key-1');
  const { log, logLines } = collectingLog();
  const stored = new Map([[verificationKeysObject, keySetBytes(1, issuer)]]);
  const store: Pick<ObjectStore, 'get'> = {
    get: async (key) => {
      const body = stored.get(key);
      return body && { body, etag: 'e' as ETag };
    },
  };
  const rules = new PublishedRules(store);
  const keys = new VerificationKeys({
    store,
    rules,
    runtime: systemRuntime,
    log,
    readIntervalMs: 1,
  });
  await keys.start();
  const databases = new ListedDatabases();
  const metrics = new Metrics();
  const app = createDataServer({
    databases,
    tokens: new TokenVerifier({ keys, runtime: systemRuntime }),
    rules,
    metrics,
    runtime: systemRuntime,
    log,
    version: 'test 1.2.3',
    notReadyBecause: () => undefined,
    ...overrides,
    limits: { closeGraceMs: 1, ...overrides.limits },
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const token = (claims: JWTPayload = { id: shop.id }): Promise<string> => issuer.sign(claims);
  return { app, port, url, issuer, databases, metrics, logLines, token };
}
