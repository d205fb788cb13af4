/**
 * Takes WAL frames that a replica wrote offline: appends them behind the last commit of the local WAL, as the engine itself
 * would have, so that they are shipped, logged and answered for like any commit.
 *
 * Invariant: either every transaction of a push becomes a commit or none does. They are appended only when the database is at
 * the commit that the replica wrote them after, and taken back, before anybody saw them, when the database is not sound or
 * its schema is refused.
 */
import type { DatabaseHost } from '../../engine/process/database-host.js';
import type { RequestContext } from '../../engine/process/request-context.js';
import type { ResponseStream } from '../../engine/process/response-stream.js';
import type { Task } from '../../engine/process/task.js';
import type { AppendedFrame } from '../../engine/process/wal-reader.js';
import type { EngineConnection } from '../../engine/adapters/adapter.js';
import { ByocError } from '../../errors/catalogue.js';
import { checkFile } from './check-file.js';

const pageBytes = 4096;
const frameHeaderBytes = 24;
const frameBytes = frameHeaderBytes + pageBytes;
const headBytes = 8;
/** A larger database is not looked through after a push: that would take longer than a statement may. */
const mostCheckedPages = (64 * 2 ** 20) / pageBytes;

/** What is answered, in JSON. */
export type PushOutcome =
  | { readonly outcome: 'committed' }
  /** The database is at another commit, or a transaction is open: nothing was done. */
  | { readonly outcome: 'elsewhere' };

/** The body of a request: the commit that the frames follow, then the frames. */
export function encodePush(afterCommit: number, frames: readonly Uint8Array[]): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeBigUInt64LE(BigInt(afterCommit));
  return Buffer.concat([head, ...frames]);
}

/** Throws `REPLICA_PUSH_UNSUPPORTED`, `REPLICA_PUSH_INVALID`, `TRANSACTION_BUSY`. */
export function* serveReplicaPush(host: DatabaseHost, context: RequestContext, response: ResponseStream): Task {
  if (host.engine !== 'libsql') {
    throw new ByocError('REPLICA_PUSH_UNSUPPORTED', `a database of the engine ${host.engine} takes no frames`);
  }
  const afterCommit = Number(context.body.readBigUInt64LE(0));
  const owner = {};
  const signal = host.writeLock.acquire(owner);
  try {
    if (signal) yield* context.park(signal, host.limits.writeLockTimeoutMs);
    host.throwIfEnded();
    if (!host.writeLock.isHeldBy(owner)) {
      throw new ByocError('TRANSACTION_BUSY', 'database is locked: another transaction is writing');
    }
    let outcome: PushOutcome = { outcome: 'elsewhere' };
    if (host.commit === afterCommit) {
      push(host, context);
      outcome = { outcome: 'committed' };
    }
    response.send(200, host.commit, Buffer.from(JSON.stringify(outcome)), true);
  } finally {
    host.writeLock.release(owner);
  }
}

function push(host: DatabaseHost, context: RequestContext): void {
  const connection = host.pool.acquireUntouched();
  try {
    const { engine } = connection;
    host.recorder.begin(context.request, host.database);
    const maxPages = Math.min(host.limits.maxPages, context.restrictions?.maxPages ?? Infinity);
    const transactions = transactionsOf(context.body.subarray(headBytes));
    const appended = withFillers(transactions, pageReader(engine), maxPages);
    host.appendFrames(appended, () => {
      const pages = appended.at(-1)?.databasePages ?? 0;
      if (pages > mostCheckedPages) {
        host.newGate().plan('SELECT 1', engine);
        return;
      }
      const [defect] = checkFile(host, engine);
      if (defect !== undefined) throw new ByocError('REPLICA_PUSH_INVALID', `with these frames: ${defect}`);
    });
  } finally {
    host.pool.release(connection, undefined);
  }
}

type Transaction = readonly AppendedFrame[];

/** The transactions in a run of frames, which ends with one. Throws `REPLICA_PUSH_INVALID`. */
export function transactionsOf(frames: Buffer): Transaction[] {
  const transactions: Transaction[] = [];
  let open: AppendedFrame[] = [];
  for (let at = 0; at + frameBytes <= frames.length; at += frameBytes) {
    const page = frames.readUInt32BE(at);
    const databasePages = frames.readUInt32BE(at + 4);
    if (page === 0) throw new ByocError('REPLICA_PUSH_INVALID', 'a frame names page 0');
    open.push({ page, databasePages, content: frames.subarray(at + frameHeaderBytes, at + frameBytes) });
    if (databasePages === 0) continue;
    transactions.push(open);
    open = [];
  }
  if (open.length > 0 || transactions.length === 0) {
    throw new ByocError('REPLICA_PUSH_INVALID', 'the frames do not end with the end of a transaction');
  }
  return transactions;
}

/**
 * A replica counts frames, this side counts pages of commits, where each stands once. A transaction that wrote a page twice is
 * filled up, with pages as they are, so that both count the same.
 */
function withFillers(
  transactions: readonly Transaction[],
  readPage: (page: number) => Uint8Array | undefined,
  maxPages: number,
): AppendedFrame[] {
  const latest = new Map<number, Uint8Array>();
  return transactions.flatMap((transaction) => {
    const last = transaction.at(-1) as AppendedFrame;
    const { databasePages } = last;
    if (databasePages > maxPages) {
      throw new ByocError('REPLICA_PUSH_INVALID', `a database may have ${maxPages} pages, not ${databasePages}`);
    }
    const pages = new Map(transaction.map(({ page, content }) => [page, content]));
    const missing = transaction.length - pages.size;
    for (let page = 1; page <= databasePages && pages.size < transaction.length; page++) {
      const content = pages.has(page) ? undefined : (latest.get(page) ?? readPage(page));
      if (content) pages.set(page, content);
    }
    if (pages.size < transaction.length) {
      const message = `a transaction writes ${missing} pages twice; the database is too small to count that`;
      throw new ByocError('REPLICA_PUSH_INVALID', message);
    }
    for (const [page, content] of pages) latest.set(page, content);
    const frames = [...pages].map(([page, content]) => ({ page, content, databasePages: 0 }));
    const end = frames.at(-1) as AppendedFrame;
    return [...frames.slice(0, -1), { ...end, databasePages }];
  });
}

/** Reads pages as the last commit left them. */
function pageReader(engine: EngineConnection): (page: number) => Uint8Array | undefined {
  return (page) => {
    const [row] = [...engine.prepare('SELECT data FROM sqlite_dbpage WHERE pgno = ?').rows([BigInt(page)])];
    const content = row?.[0];
    return content instanceof Uint8Array && content.length === pageBytes ? content : undefined;
  };
}
