/**
 * `/dump`: the whole database as SQL text, as it is at one moment, in constant memory at the pace of the client.
 *
 * It runs in a read transaction of its own, which may last longer than a client's: a read holds nobody up, and what others
 * commit meanwhile stays in the local WAL until it ends. A dump that breaks off ends with ROLLBACK, so that running it changes
 * nothing.
 */
import type { SqlValue } from '../../engine/adapters/adapter.js';
import type { DatabaseHost } from '../../engine/process/database-host.js';
import type { RequestContext } from '../../engine/process/request-context.js';
import type { ResponseStream } from '../../engine/process/response-stream.js';
import { Session } from '../../engine/process/session.js';
import type { RowSink } from '../../engine/process/statement.js';
import { tableRights } from '../../engine/process/table-rights.js';
import type { Signal, Task } from '../../engine/process/task.js';
import { ByocError } from '../../errors/catalogue.js';
import { CursorWriter } from '../cursor-writer.js';
import type { CursorBuffer } from '../encoding.js';
import { parseBody } from '../json-shape.js';
import { toStreamError } from '../stream-error.js';
import { dumpedSchema, rowsQuery, type DumpedTable, type SchemaEntry } from './dump-schema.js';
import { sqlLiteral, sqlName } from './sql-literal.js';

/** A dump that takes longer is better made from a branch or a backup. */
const dumpTimeoutMs = 600_000;
const bindNothing = (): [] => [];

/** Throws what fails before the first line; later failures are written into the dump. */
export function* serveDump(host: DatabaseHost, context: RequestContext, response: ResponseStream): Task {
  if (context.restrictions?.permissions) tableRights(context.restrictions.permissions).checkReadsAll('a dump');
  const body = context.body.length === 0 ? {} : parseBody(context.body);
  const session = new Session(host, { transactionTimeoutMs: dumpTimeoutMs, requestTimeoutMs: dumpTimeoutMs });
  const writer = new CursorWriter(host, response, new TextBuffer());
  try {
    const dump = new Dump(host, session, context, writer);
    yield* dump.write(body['preserve_row_ids'] === true);
    yield* dump.wait(() => writer.finish());
  } catch (error) {
    // What is no error of the catalogue or the engine is not for the client's eyes.
    const { code, message } = toStreamError(error);
    if (!writer.hasSent) throw error;
    writer.breakOff(`\n/* ERROR ${code}: ${message.replaceAll('*/', '* /')} */\nROLLBACK;\n`);
  } finally {
    session.close();
  }
}

class Dump {
  readonly #host: DatabaseHost;
  readonly #session: Session;
  readonly #context: RequestContext;
  readonly #writer: CursorWriter<string>;

  constructor(host: DatabaseHost, session: Session, context: RequestContext, writer: CursorWriter<string>) {
    this.#host = host;
    this.#session = session;
    this.#context = context;
    this.#writer = writer;
  }

  *write(preservesRowids: boolean): Task {
    yield* this.#run('BEGIN TRANSACTION READONLY', collect([]));
    const schema = yield* this.#schema();
    this.#line('PRAGMA foreign_keys=OFF;');
    this.#line('BEGIN TRANSACTION;');
    for (const table of schema.tables) yield* this.#table(table, preservesRowids);
    yield* this.#sequences();
    for (const sql of schema.others) this.#line(`${sql};`);
    this.#line('COMMIT;');
    yield* this.#run('ROLLBACK', collect([]));
  }

  /** Waits until `attempt` gives no signal any more. Throws STREAM_EXPIRED when the client takes nothing for too long. */
  *wait(attempt: () => Signal | undefined): Task {
    const { runtime, limits } = this.#host;
    for (let signal = attempt(); signal; signal = attempt()) {
      const expiresAtMs = runtime.monotonicMs() + limits.streamIdleTimeoutMs;
      yield* this.#context.park(signal, limits.streamIdleTimeoutMs);
      if (runtime.monotonicMs() >= expiresAtMs) {
        throw new ByocError('STREAM_EXPIRED', 'the client did not take the dump in time');
      }
      this.#host.throwIfEnded();
    }
  }

  *#schema(): Task<ReturnType<typeof dumpedSchema>> {
    const entries: SqlValue[][] = [];
    yield* this.#run(
      'SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid',
      collect(entries),
    );
    const listed: SqlValue[][] = [];
    yield* this.#run('PRAGMA table_list', collect(listed));
    const shadows = listed.filter(([, , type]) => type === 'shadow').map(([, name]) => String(name));
    return dumpedSchema(
      entries.map(([type, name, table, sql]): SchemaEntry => {
        return { type: String(type), name: String(name), table: String(table), sql: String(sql) };
      }),
      new Set(shadows),
    );
  }

  *#table({ name, sql, isVirtual }: DumpedTable, preservesRowids: boolean): Task {
    this.#line(`${sql};`);
    const described: SqlValue[][] = [];
    yield* this.#run(`PRAGMA table_xinfo(${sqlName(name)})`, collect(described));
    // Hidden and generated columns are not written.
    const columns = described
      .filter(([, , , , , , hidden]) => Number(hidden) === 0)
      .map(([, column]) => String(column));
    if (columns.length === 0) return;
    const isFullText = isVirtual && /\busing\s+fts[345]\b/iu.test(sql);
    if (isVirtual && !isFullText && !/\busing\s+(?:rtree|rtree_i32|geopoly)\b/iu.test(sql)) return;
    // An index over content that is elsewhere has nothing to read but what is there.
    if (isFullText && /\bcontent\s*=\s*(?:''|"")/iu.test(sql)) {
      this.#line(`/* ${name.replaceAll('*/', '* /')}: a contentless full-text table; its index is not dumped */`);
      return;
    }
    const keepsRowid = isFullText || (preservesRowids && (yield* this.#hasRowid(name, columns)));
    const written = keepsRowid ? ['rowid', ...columns] : columns;
    const start = `INSERT INTO ${sqlName(name)}(${written.map(sqlName).join(',')}) VALUES(`;
    yield* this.#run(rowsQuery(name, written), this.#rows(start));
  }

  /** Whether rows have an id that no column shows. */
  *#hasRowid(table: string, columns: readonly string[]): Task<boolean> {
    if (columns.some((column) => column.toLowerCase() === 'rowid')) return false;
    try {
      yield* this.#run(`SELECT rowid FROM ${sqlName(table)} LIMIT 0`, collect([]));
      return true;
    } catch (error) {
      // A table WITHOUT ROWID.
      toStreamError(error);
      return false;
    }
  }

  *#sequences(): Task {
    const found: SqlValue[][] = [];
    yield* this.#run("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'", collect(found));
    if (found.length === 0) return;
    this.#line('DELETE FROM sqlite_sequence;');
    yield* this.#run(rowsQuery('sqlite_sequence', ['name', 'seq']), this.#rows('INSERT INTO sqlite_sequence VALUES('));
  }

  #line(text: string): void {
    this.#writer.add(`${text}\n`);
  }

  #rows(start: string): RowSink {
    return {
      begin: () => undefined,
      row: (values) => {
        const literals: string[] = [];
        for (let at = 0; at < values.length; at += 2)
          literals.push(sqlLiteral(values[at] ?? null, values[at + 1] === 1n));
        this.#line(`${start}${literals.join(',')});`);
        return true;
      },
      waitFor: () => this.#writer.advance(),
    };
  }

  *#run(sql: string, sink: RowSink): Task {
    yield* this.#session.run({ sql, bind: bindNothing }, this.#context, sink);
    yield* this.wait(() => this.#writer.advance());
  }
}

function collect(rows: SqlValue[][]): RowSink {
  return {
    begin: () => undefined,
    row: (values) => {
      rows.push([...values]);
      return true;
    },
    waitFor: () => undefined,
  };
}

class TextBuffer implements CursorBuffer<string> {
  #text = '';

  get size(): number {
    return this.#text.length;
  }

  add(text: string): void {
    this.#text += text;
  }

  take(): Buffer {
    const bytes = Buffer.from(this.#text);
    this.#text = '';
    return bytes;
  }
}
