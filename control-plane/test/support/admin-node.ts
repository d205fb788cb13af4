import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { UsageBatch } from '@turso-byoc/data-plane/metering/usage-batch.js';

interface Stored {
  readonly id: string;
  name: string;
  readonly organization: string;
  readonly group: { readonly id: string; readonly name: string };
  readonly engine: string;
  readonly createdAtMs: number;
  readonly parent?: { readonly id: string; readonly name: string };
  deletedAtMs?: number;
}

function encryptionOf({ id, createdAtMs }: Stored) {
  const dataKeys = [{ number: 1, keyId: 'default', reasons: [{ because: 'current' }] }];
  return { id, mode: 'kms', currentKey: 1, currentKeySinceMs: createdAtMs, isResealed: true, dataKeys };
}

/** The admin interface of a data node that keeps its databases in memory and stores nothing in them. */
export class AdminNodeForTests {
  readonly databases = new Map<string, Stored>();
  /** Answers everything with 503 while it is set. */
  isAway = false;
  /** What databases used, until it is collected. */
  readonly usage: UsageBatch[] = [];
  /** The times since which it was asked for statements. */
  readonly statementsSince: number[] = [];
  /** Answers with an error when it is asked for usage. */
  failsUsage = false;
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const text = Buffer.concat(parts).toString('utf8');
    const [status, body] = this.isAway
      ? [503, { code: 'NOT_READY', message: 'away' }]
      : this.#carryOut(request.method ?? '', request.url ?? '', text === '' ? {} : JSON.parse(text));
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }

  #carryOut(method: string, url: string, body: any): [number, unknown] {
    const { pathname, searchParams } = new URL(url, 'http://admin');
    const [, , , kind, id = '', action = ''] = pathname.split('/');
    if (kind === 'usage') return this.#carryOutUsage(method, body);
    if (method === 'POST' && id === '') return this.#create(body);
    if (method === 'GET' && id === '') {
      const after = searchParams.get('after') ?? '';
      const all = [...this.databases.values()].sort((one, other) => (one.id < other.id ? -1 : 1));
      const page = all.filter((each) => each.id > after).slice(0, 2);
      return [200, { databases: page, next: page.length < 2 ? null : page.at(-1)?.id }];
    }
    const found = this.databases.get(id);
    if (method === 'DELETE') {
      if (found) found.deletedAtMs ??= Date.now();
      return [200, {}];
    }
    if (found === undefined) return [404, { code: 'DATABASE_NOT_FOUND', message: 'database not found' }];
    if (action === 'statements') {
      this.statementsSince.push(Number(searchParams.get('since')));
      return [200, { statements: [{ shape: 'SELECT * FROM t WHERE a = ?', count: 3, rowsRead: 7, rowsWritten: 0 }] }];
    }
    if (action === 'storage') return [200, { bytes: 4096 }];
    if (action === 'hold') return [200, { hold: { id, name: found.name, holds: [], released: [] } }];
    if (action === 'encryption' || action === 'rekey') return [200, { encryption: encryptionOf(found) }];
    if (action === 'certificate' || action === 'shred') {
      return [404, { code: 'CERTIFICATE_NOT_FOUND', message: 'there is none' }];
    }
    if (action === 'undelete') {
      delete found.deletedAtMs;
      found.name = body.name ?? found.name;
    }
    return [200, { database: found }];
  }

  #carryOutUsage(method: string, body: any): [number, unknown] {
    if (this.failsUsage) return [500, { code: 'STORE_OBJECT_CORRUPT', message: 'damaged' }];
    // Two a page, so that there are pages.
    if (method === 'GET') return [200, { batches: this.usage.slice(0, 2), more: this.usage.length > 2 }];
    for (const { epoch, sequence } of body.batches) {
      const place = this.usage.findIndex((batch) => batch.epoch === epoch && batch.sequence === sequence);
      if (place >= 0) this.usage.splice(place, 1);
    }
    return [200, {}];
  }

  #create(body: any): [number, unknown] {
    const existing = this.databases.get(body.id);
    if (existing?.deletedAtMs !== undefined)
      return [409, { code: 'DATABASE_EXISTS', message: 'the id was used before' }];
    const isTaken = [...this.databases.values()].some(
      (each) =>
        each.id !== body.id &&
        each.name === body.name &&
        each.organization === body.organization &&
        each.deletedAtMs === undefined,
    );
    if (isTaken) return [409, { code: 'DATABASE_EXISTS', message: `database with name ${body.name} already exists` }];
    const { branch, ...fields } = body;
    const parent = branch === undefined ? undefined : this.databases.get(branch.parent);
    if (branch !== undefined && parent === undefined) {
      return [404, { code: 'DATABASE_NOT_FOUND', message: 'database not found' }];
    }
    const stored: Stored = {
      ...fields,
      createdAtMs: Date.now(),
      ...(parent && { parent: { id: parent.id, name: parent.name } }),
    };
    this.databases.set(body.id, existing ?? stored);
    return [200, { database: existing ?? stored }];
  }
}
