/** A database that begins as a large dump, through the Platform API, compared with what the dump says. */
import { createHash } from 'node:crypto';
import { Agent, request } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunningLocalSystem } from '@turso-byoc/control-plane/local/start-local.js';
import { Caller } from './caller.js';
import { residentMiB, type Usage } from './processes.js';
import { withLocalSystem } from './with-local-system.js';

export interface LargeDumpOptions {
  readonly megabytes: number;
  readonly engine: 'libsql' | 'tursodb';
  readonly onProgress: (line: string) => void;
}

export interface LargeDumpResult {
  readonly dumpBytes: number;
  readonly rows: number;
  readonly uploadMs: number;
  /** From the creation's call to its answer: the dump is run, looked through and stored. */
  readonly loadMs: number;
  /** Most resident memory of each process, in MiB. */
  readonly mostMiB: Usage;
  /** What is not as the dump says. */
  readonly differences: readonly string[];
}

/** Bytes of one row's content; a dump writes them as text. */
const contentBytes = 3_500;
/** Rows of one read: below the longest answer that a node gives. */
const rowsPerRead = 1_000;
const boundary = 'large-dump';

export async function largeDump({ megabytes, engine, onProgress }: LargeDumpOptions): Promise<LargeDumpResult> {
  const rows = Math.ceil((megabytes * 2 ** 20) / contentBytes);
  return withLocalSystem(onProgress, async (system) => new DumpRun(system, rows, onProgress).run(engine));
}

type Rows = { readonly value: string }[][];

class DumpRun {
  readonly #caller: Caller;
  readonly #path: string;
  #mostMiB: Usage = { controlPlane: 0, dataNode: 0, engines: 0 };

  constructor(
    private readonly system: RunningLocalSystem,
    private readonly rows: number,
    private readonly say: (line: string) => void,
  ) {
    this.#caller = new Caller(system);
    this.#path = `/v1/organizations/${system.organization}`;
  }

  async run(engine: LargeDumpOptions['engine']): Promise<LargeDumpResult> {
    const begunMs = performance.now();
    const { url, dumpBytes } = await this.#watched(this.#send());
    const uploadMs = performance.now() - begunMs;
    this.say(`${dumpBytes} bytes sent in ${uploadMs.toFixed(0)} ms`);
    const { group } = this.system;
    const body = { name: 'large', group, use_tursodb: engine === 'tursodb', seed: { type: 'dump', url } };
    await this.#watched(this.#caller.call('POST', `${this.#path}/databases`, body));
    const loadMs = performance.now() - begunMs - uploadMs;
    this.say(`loaded in ${loadMs.toFixed(0)} ms`);
    const differences = await this.#differences();
    return { dumpBytes, rows: this.rows, uploadMs, loadMs, mostMiB: this.#mostMiB, differences };
  }

  /** Sends the dump as a form, made while it is sent. */
  async #send(): Promise<{ readonly url: string; readonly dumpBytes: number }> {
    let dumpBytes = 0;
    const { rows, system } = this;
    async function* form(): AsyncGenerator<string> {
      yield `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="large.sql"\r\n\r\n`;
      for await (const part of dumpOf(rows)) {
        dumpBytes += part.length;
        yield part;
      }
      yield `\r\n--${boundary}--\r\n`;
    }
    const url = new URL(`${this.#path}/databases/dumps`, system.apiUrl);
    const headers = {
      authorization: `Bearer ${system.token}`,
      'content-type': `multipart/form-data; boundary=${boundary}`,
    };
    const sent = request(url, { method: 'POST', agent: new Agent(), headers });
    const answered = new Promise<string>((resolve, reject) => {
      sent.once('error', reject).once('response', (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () => resolve(Buffer.concat(parts).toString('utf8')));
      });
    });
    await pipeline(Readable.from(form()), sent);
    const answer = JSON.parse(await answered) as { dump_url?: string; error?: string };
    if (answer.dump_url === undefined) throw new Error(`the dump was refused: ${answer.error ?? ''}`);
    return { url: answer.dump_url, dumpBytes };
  }

  /** Every row, read again over SQL. */
  async #differences(): Promise<string[]> {
    const { jwt } = (await this.#caller.call('POST', `${this.#path}/databases/large/auth/tokens`)) as { jwt: string };
    const url = `${this.system.dataUrl}/db/large-${this.system.organization}/v2/pipeline`;
    const read = async (sql: string): Promise<Rows> => {
      const body = JSON.stringify({ requests: [{ type: 'execute', stmt: { sql } }, { type: 'close' }] });
      const answer = await fetch(url, { method: 'POST', headers: { authorization: `Bearer ${jwt}` }, body });
      const { results } = (await answer.json()) as { results: { response?: { result: { rows: Rows } } }[] };
      const rows = results[0]?.response?.result.rows;
      if (!rows) throw new Error(`${sql}: ${JSON.stringify(results)}`);
      return rows;
    };
    let [seen, wrong] = [0, 0];
    for (let after = 0; ; after += rowsPerRead) {
      const sql = `SELECT id, name, hex(note) FROM items WHERE id > ${after} ORDER BY id LIMIT ${rowsPerRead}`;
      const found = await this.#watched(read(sql));
      for (const [id, name, note] of found) {
        seen += 1;
        const isRight = id?.value === String(seen) && name?.value === nameOf(seen) && note?.value === contentOf(seen);
        if (!isRight) wrong += 1;
      }
      if (found.length < rowsPerRead) break;
    }
    this.say(`${seen} rows read again, ${wrong} of them wrong`);
    const [[counted]] = (await read('SELECT count(*) FROM items INDEXED BY by_name')) as [[{ value: string }]];
    return [
      ...(seen === this.rows ? [] : [`${seen} rows instead of ${this.rows}`]),
      ...(wrong === 0 ? [] : [`${wrong} rows are others`]),
      ...(counted.value === String(this.rows) ? [] : [`the index has ${counted.value} rows`]),
    ];
  }

  /** Looks at the memory of all processes until something is done. */
  async #watched<T>(work: Promise<T>): Promise<T> {
    const ended = work.then(
      () => true,
      () => true,
    );
    for (let isOver = false; !isOver; isOver = await Promise.race([ended, delay(250, false)])) {
      const now = await residentMiB(this.system);
      const most = (process: keyof Usage): number => Math.max(now[process], this.#mostMiB[process]);
      this.#mostMiB = { controlPlane: most('controlPlane'), dataNode: most('dataNode'), engines: most('engines') };
    }
    return work;
  }
}

const nameOf = (row: number): string => `item ${row}, it's`;

function contentOf(row: number): string {
  const hash = createHash('shake256', { outputLength: contentBytes });
  return hash.update(String(row)).digest('hex').toUpperCase();
}

/** What `sqlite3 large.db .dump` would write. */
async function* dumpOf(rows: number): AsyncGenerator<string> {
  yield 'PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n';
  yield 'CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, note BLOB);\n';
  for (let row = 1; row <= rows; row++) {
    yield `INSERT INTO items VALUES(${row},'${nameOf(row).replaceAll("'", "''")}',X'${contentOf(row)}');\n`;
  }
  yield 'CREATE INDEX by_name ON items (name);\nCOMMIT;\n';
}
