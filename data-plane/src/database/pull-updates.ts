/**
 * Pulls: the pages that lead a client from the position that it has to a later one, or those that it asks for at one.
 *
 * Invariants. Everything comes from the store, and only from commits that are durable: no revision names a commit that a
 * failover could lose. The header leaves through the gate, at a moment at which the lease holds, so "nothing new" is true
 * when it is said. What an answer reads of this node's log is not deleted before it was read.
 */
import { ByocError, isByocError } from '../errors/catalogue.js';
import type { Sealer } from '../keys/sealing.js';
import { changedPages, commitTime, type CommitPoint } from '../storage/changed-pages.js';
import { DatabaseSnapshot, type PageContent } from '../storage/database-snapshot.js';
import { PageSet } from '../storage/page-set.js';
import type { HistoryInput } from '../storage/restore-point.js';
import { chosenEncoding, encodeHeader, encodePages } from '../sync/pull-answer.js';
import { decodePageSelector } from '../sync/page-selector.js';
import type { PageEncoding, PullRequest } from '../sync/pull-request.js';
import { queryPages } from '../sync/query-pages.js';
import { decodeRevision, encodeRevision } from '../sync/revision.js';
import { Turns } from '../turns.js';
import type { NodeContext } from './node-context.js';
import { holdUnfoldedRanges, type OwnedDatabase } from './ready-database.js';
import { onStreamEnd } from './stream-end.js';

/** What a pull is to be answered with, found but not sent. */
export interface PreparedPull {
  /** The position that the client will be at. */
  readonly commit: number;
  /** The client has that position already. */
  readonly isUnchanged: boolean;
  /** The parts of the answer. To be taken to its end, or left with `return`. */
  readonly body: AsyncIterableIterator<Buffer>;
}

/** Parts of an answer are about so long. */
const partBytes = 64 * 1024;

/**
 * Finds what a pull of a database that this epoch owns is answered with; `rootsOf` gives the root pages of what a query opens.
 * Throws `REVISION_INVALID`, `REVISION_EXPIRED`, `MALFORMED_REQUEST`, and the errors of the store.
 */
export async function preparePull(
  context: NodeContext,
  { owned, unlocked }: OwnedDatabase,
  request: PullRequest,
  rootsOf: (query: string) => Promise<readonly number[]>,
): Promise<PreparedPull> {
  const { runtime, dataStore, logStore } = context;
  const { manifest } = owned;
  const { sealer } = unlocked;
  // In one step with the look at the manifest: both are of the same moment.
  const { ranges, release } = holdUnfoldedRanges(context, manifest);
  try {
    const input: HistoryInput = { runtime, dataStore, logStore, sealer, manifest, ranges };
    const { snapshot, wanted, isUnchanged } = await findPages(input, request);
    if (request.pages) wanted.keepOnly(decodePageSelector(request.pages, snapshot.databasePages));
    // What changed since another position is sent whatever the client was interested in once.
    if (request.query !== undefined && request.clientRevision === undefined) {
      wanted.keepOnly(await queryPages(snapshot, await rootsOf(request.query)));
    }
    const encoding = chosenEncoding(request.encoding);
    const revision = encodeRevision(sealer, snapshot);
    const header = encodeHeader({ revision, databasePages: snapshot.databasePages, encoding });
    const body = answerParts(context, snapshot, wanted, { header, encoding }, release);
    return { commit: snapshot.commit, isUnchanged, body: onStreamEnd(body, release) };
  } catch (error) {
    release();
    throw error;
  }
}

interface FoundPages {
  readonly snapshot: DatabaseSnapshot;
  readonly wanted: PageSet;
  readonly isUnchanged: boolean;
}

async function findPages(input: HistoryInput, request: PullRequest): Promise<FoundPages> {
  const { sealer } = input;
  const server = request.serverRevision === undefined ? undefined : decodeRevision(sealer, request.serverRevision);
  const client = request.clientRevision === undefined ? undefined : clientPosition(sealer, request.clientRevision);
  if (client && client.commit <= (server?.commit ?? Infinity)) {
    const found = await sinceClient(input, client, server);
    if (found) return found;
  }
  const snapshot = await openAt(input, server);
  return { snapshot, wanted: PageSet.all(snapshot.databasePages), isUnchanged: false };
}

/** Undefined when the client is at a position that this history cannot tell the changes since: then it gets all pages. */
async function sinceClient(
  input: HistoryInput,
  client: CommitPoint,
  server: CommitPoint | undefined,
): Promise<FoundPages | undefined> {
  const snapshot = await openAt(input, server, client.commit);
  const time =
    client.commit === snapshot.changesKnownFrom
      ? snapshot.changesKnownFromTimeMs
      : await commitTime(input, client.commit);
  if (time !== client.commitTimeMs) return undefined;
  const wanted = await changedPages(input, client, snapshot);
  return wanted && { snapshot, wanted, isUnchanged: snapshot.commit === client.commit };
}

/** A revision whose history is gone says no more than none: the client gets everything anew. */
function clientPosition(sealer: Sealer, revision: string): CommitPoint | undefined {
  try {
    return decodeRevision(sealer, revision);
  } catch (error) {
    if (isByocError(error, 'REVISION_EXPIRED')) return undefined;
    throw error;
  }
}

async function openAt(input: HistoryInput, at: CommitPoint | undefined, since?: number): Promise<DatabaseSnapshot> {
  const options = since === undefined ? {} : { since };
  if (!at) return DatabaseSnapshot.open(input, Infinity, options);
  const snapshot = await DatabaseSnapshot.open(input, at.commit, options).catch((error: unknown) => {
    if (!isByocError(error, 'RESTORE_POINT_NOT_FOUND')) throw error;
    throw new ByocError('REVISION_EXPIRED', error.message, { cause: error });
  });
  if (snapshot.commitTimeMs === at.commitTimeMs) return snapshot;
  throw new ByocError('REVISION_EXPIRED', 'the database was restored, and its history is another one now');
}

async function* answerParts(
  { runtime }: Pick<NodeContext, 'runtime'>,
  snapshot: DatabaseSnapshot,
  wanted: PageSet,
  { header, encoding }: { readonly header: Buffer; readonly encoding: PageEncoding },
  release: () => void,
): AsyncGenerator<Buffer> {
  const turns = new Turns(runtime, 'background');
  let parts = [header];
  let bytes = header.length;
  const both = async function* (): AsyncGenerator<PageContent[]> {
    yield* snapshot.changed(wanted);
    // The rest lies in segments: a slow client does not keep the log from being deleted.
    release();
    yield* snapshot.unchanged(wanted);
  };
  for await (const pages of both()) {
    const encoded = encodePages(pages, encoding);
    await turns.spent(encoded.length);
    parts.push(encoded);
    bytes += encoded.length;
    if (bytes < partBytes) continue;
    yield parts.length === 1 ? encoded : Buffer.concat(parts);
    parts = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(parts);
}
