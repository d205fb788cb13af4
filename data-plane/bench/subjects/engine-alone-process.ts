/**
 * Entry of the engine alone: the `libsql` package called in this process, with the settings that the data node's adapter
 * gives every connection and each statement prepared once. What is left out is everything a server does: network, JSON,
 * processes, WAL shipping, durability.
 */
import { join } from 'node:path';
import Database from 'libsql';
import type { FromEngineAlone, ToEngineAlone } from './engine-alone.js';
import {
  event,
  fillItems,
  insertEvent,
  itemCount,
  schema,
  selectItem,
  selectItems,
  statementsPerTransaction,
  type Operation,
} from './workload.js';

/** As in the data node's adapter for libsql. */
const settings = `
  PRAGMA journal_mode = wal;
  PRAGMA synchronous = off;
  PRAGMA wal_autocheckpoint = 0;
  PRAGMA temp_store = memory;
  PRAGMA cache_size = -256;
  PRAGMA trusted_schema = off;
  PRAGMA busy_timeout = 0;
`;
/** The data node folds the local WAL at this size. */
const walPages = 1_024;

type Run = (item: number) => void;

function open(path: string): { readonly run: Readonly<Record<Operation, Run>>; readonly checkpoint: () => void } {
  const database = new Database(path);
  database.exec(settings);
  for (const sql of [...schema, fillItems]) database.exec(sql);
  const prepare = (sql: string) => {
    const statement = database.prepare(sql);
    return statement.reader ? statement.raw().safeIntegers(true) : statement;
  };
  const [one, all, insert] = [prepare(selectItem), prepare(selectItems), prepare(insertEvent)];
  const [begin, commit] = [prepare('BEGIN IMMEDIATE'), prepare('COMMIT')];
  const checkpoint = prepare('PRAGMA wal_checkpoint(TRUNCATE)');
  let pages = 0;
  const wrote = (count: number): void => {
    pages += count;
    if (pages < walPages) return;
    checkpoint.get([]);
    pages = 0;
  };
  return {
    checkpoint: () => void checkpoint.get([]),
    run: {
      'point-select': (item) => void one.get([BigInt(item)]),
      rows: () => void all.all([]),
      insert: () => {
        insert.run([event.kind, event.payload]);
        wrote(2);
      },
      transaction: () => {
        begin.run([]);
        for (let statement = 0; statement < statementsPerTransaction; statement++) {
          insert.run([event.kind, event.payload]);
        }
        commit.run([]);
        wrote(3);
      },
    },
  };
}

const send = (message: FromEngineAlone): void => void process.send?.(message);
const databases: ReturnType<typeof open>[] = [];

process.on('message', (message: ToEngineAlone) => {
  const { directory, operation, databases: count, measureMs } = message;
  while (databases.length < count) databases.push(open(join(directory, `engine-alone-${databases.length}.db`)));
  const used = databases.slice(0, count).map(({ run }) => run[operation]);
  const startMs = performance.now();
  const endMs = startMs + measureMs;
  let completed = 0;
  // The clock is read once in a while only: it would cost as much as a point select does.
  while (performance.now() < endMs) {
    for (let inner = 0; inner < 8; inner++) {
      used[completed % count]?.((completed % itemCount) + 1);
      completed += 1;
    }
  }
  const elapsedMs = performance.now() - startMs;
  send({ perSecond: completed / (elapsedMs / 1000) });
});
process.once('disconnect', () => process.exit(0));
