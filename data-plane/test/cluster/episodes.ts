/** What is done to a cluster under load, each from the blow to the moment when every node serves again. */
import { setTimeout as delay } from 'node:timers/promises';
import type { DataNode } from '../support/data-node.js';
import { epochOf, type Cluster } from './cluster.js';
import type { Ledger } from './ledger.js';
import { untilAnswered } from './probe.js';
import { openClient, type Workload } from './workload.js';

export type EpisodeKind = 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'store outage';

export interface Episode {
  readonly kind: EpisodeKind;
  /** Databases that the node owned; that were asked, for an outage. */
  readonly databases: number;
  /** For each of them, from the blow (an outage: from when the server accepts again); Infinity: not within the time given. */
  readonly answeredAfterMs: readonly number[];
  /** Errors that clients saw from the blow until every one of these databases had answered. */
  readonly clientErrors: number;
  /** How long after the blow another node condemned this one, where one did. */
  readonly condemnedAfterMs?: number;
  /** How the node ended, and how long after the signal, where it ends by itself. */
  readonly end?: { readonly afterMs: number; readonly exitCode: number | null };
  /** Requests that were sent to a node while it stood still past its lease. */
  readonly late?: { readonly acknowledged: number; readonly read: number; readonly refused: number };
  readonly outage?: {
    readonly forMs: number;
    /** Acknowledged more than a second after the server was gone, and before it was back. */
    readonly acknowledged: number;
    /** Reads answered more than a lease after the server was gone, and before it was back. */
    readonly reads: number;
  };
}

export interface Surroundings {
  readonly cluster: Cluster;
  readonly ledgers: readonly Ledger[];
  readonly workload: Workload;
  readonly leaseMs: number;
}

const giveUpMs = 60_000;
/** So short that an attempt that was sent to a node that stands still does not count for long. */
const shortAttemptMs = 2_000;
const longAttemptMs = 30_000;
const lateLedgers = 10;
const outageProbes = 30;

const read = async (ledger: Ledger, client: Parameters<Ledger['read']>[0]): Promise<void> => ledger.read(client);

/** The node is gone without a word. */
export async function kill(surroundings: Surroundings, node: DataNode): Promise<Episode> {
  const { cluster, ledgers, workload } = surroundings;
  const owned = await cluster.ownedBy(node, ledgers);
  const errorsBefore = workload.errorCount;
  const condemned = watchCondemnation(cluster, node);
  const sinceMs = performance.now();
  const gone = node.end('SIGKILL');
  const answeredAfterMs = await untilAnswered(owned, sinceMs, {
    attempt: read,
    url: ({ database }) => cluster.url(database),
    attemptTimeoutMs: longAttemptMs,
    giveUpMs,
  });
  const clientErrors = workload.errorCount - errorsBefore;
  await gone;
  await cluster.startAgain(node);
  return { kind: 'SIGKILL', databases: owned.length, answeredAfterMs, clientErrors, ...condemned() };
}

/** The node is asked to stop. */
export async function terminate(surroundings: Surroundings, node: DataNode): Promise<Episode> {
  const { cluster, ledgers, workload } = surroundings;
  const owned = await cluster.ownedBy(node, ledgers);
  const errorsBefore = workload.errorCount;
  const sinceMs = performance.now();
  await node.end('SIGTERM');
  const end = { afterMs: performance.now() - sinceMs, exitCode: (await node.exit()).code };
  const answeredAfterMs = await untilAnswered(owned, performance.now(), {
    attempt: read,
    url: ({ database }) => cluster.url(database),
    attemptTimeoutMs: longAttemptMs,
    giveUpMs,
  });
  await cluster.startAgain(node);
  const clientErrors = workload.errorCount - errorsBefore;
  return { kind: 'SIGTERM', databases: owned.length, answeredAfterMs, clientErrors, end };
}

/**
 * The node stands still until its databases are served, and written to, elsewhere. Then it is sent requests of its former
 * databases, goes on, and finds them.
 */
export async function freeze(surroundings: Surroundings, node: DataNode): Promise<Episode> {
  const { cluster, ledgers, workload } = surroundings;
  const owned = await cluster.ownedBy(node, ledgers);
  const errorsBefore = workload.errorCount;
  const condemned = watchCondemnation(cluster, node);
  const sinceMs = performance.now();
  process.kill(node.pid, 'SIGSTOP');
  const elsewhere = {
    url: ({ database }: Ledger) => cluster.url(database),
    attemptTimeoutMs: shortAttemptMs,
    giveUpMs,
  };
  const answeredAfterMs = await untilAnswered(owned, sinceMs, { attempt: read, ...elsewhere });
  const clientErrors = workload.errorCount - errorsBefore;
  const moved = owned.filter((_, index) => answeredAfterMs[index] !== Infinity).slice(0, lateLedgers);
  const write = async (ledger: Ledger, client: Parameters<Ledger['write']>[0]): Promise<void> =>
    ledger.write(client, 'one row', 1);
  await untilAnswered(moved, performance.now(), { attempt: write, ...elsewhere });

  const late = { acknowledged: 0, read: 0, refused: 0 };
  const refused = (): void => void (late.refused += 1);
  const requests = moved.flatMap((ledger) => {
    const client = openClient(node.here(ledger.database).url, ledger.database.token);
    return [
      ledger.write(client, 'one row', 1).then(() => void (late.acknowledged += 1), refused),
      ledger.read(client).then(() => void (late.read += 1), refused),
    ];
  });
  // They lie in the buffers of its connections when it goes on.
  await delay(200);
  const continuedMs = performance.now();
  process.kill(node.pid, 'SIGCONT');
  const { code: exitCode } = await node.exit();
  const end = { afterMs: performance.now() - continuedMs, exitCode };
  await Promise.all(requests);
  await cluster.startAgain(node);
  return { kind: 'SIGSTOP', databases: owned.length, answeredAfterMs, clientErrors, end, late, ...condemned() };
}

/** Returns what tells, later, how long after now the node's present epoch was condemned. */
function watchCondemnation(cluster: Cluster, node: DataNode): () => Pick<Episode, 'condemnedAfterMs'> {
  const epoch = epochOf(node);
  const nowMs = Date.now();
  return () => {
    const atMs = cluster.condemnedAtMs(epoch);
    return atMs === undefined ? {} : { condemnedAfterMs: atMs - nowMs };
  };
}

/** The store's server is gone for a while. Throws when the store has none. */
export async function storeOutage(surroundings: Surroundings, forMs: number): Promise<Episode> {
  const { cluster, ledgers, workload, leaseMs } = surroundings;
  const { server } = cluster.store;
  if (!server) throw new Error('this store has no server that could be stopped');
  const errorsBefore = workload.errorCount;
  await server.halt();
  const sinceMs = performance.now();
  // What was stored just before may be acknowledged just after.
  await delay(1_000);
  const acknowledgedBefore = workload.acknowledgedWrites;
  await delay(leaseMs);
  const readsBefore = workload.reads;
  await delay(Math.max(0, forMs - (performance.now() - sinceMs)));
  const outage = {
    forMs: performance.now() - sinceMs,
    acknowledged: workload.acknowledgedWrites - acknowledgedBefore,
    reads: workload.reads - readsBefore,
  };
  await server.resume();
  const asked = ledgers.slice(0, outageProbes);
  const answeredAfterMs = await untilAnswered(asked, performance.now(), {
    attempt: async (ledger, client) => {
      await ledger.write(client, 'one row', 1);
      await ledger.read(client);
    },
    url: ({ database }) => cluster.url(database),
    attemptTimeoutMs: longAttemptMs,
    giveUpMs,
  });
  const clientErrors = workload.errorCount - errorsBefore;
  return { kind: 'store outage', databases: asked.length, answeredAfterMs, clientErrors, outage };
}

/** Compares all databases with what is known of them; an attempt without an answer is an error that a client saw. */
export async function checkAll(
  { cluster, ledgers, workload }: Surroundings,
  { thoroughly }: { readonly thoroughly: boolean },
): Promise<Ledger[]> {
  const waiting = [...ledgers];
  const unanswered: Ledger[] = [];
  const checkers = Array.from({ length: 8 }, async () => {
    for (let ledger = waiting.pop(); ledger; ledger = waiting.pop()) {
      const { database } = ledger;
      const client = openClient(cluster.url(database), database.token);
      const untilMs = performance.now() + giveUpMs;
      for (;;) {
        try {
          await ledger.check(client, { thoroughly });
          break;
        } catch (error) {
          workload.noteError(ledger, 'read', error);
          if (performance.now() < untilMs) continue;
          unanswered.push(ledger);
          break;
        }
      }
      client.close();
    }
  });
  await Promise.all(checkers);
  return unanswered;
}
