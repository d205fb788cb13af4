import type { ResolvedConfiguration } from '../config/deployment-configuration.js';
import { measuredCommits, openRequests, upkeepWritesPerLogObject, type CommitRequests } from './measured-requests.js';
import { prices } from './prices-2026-11.js';

/** What a million of something costs, beyond the monthly floor. */
export interface UsageLine {
  readonly what: string;
  /** US dollars. */
  readonly perMillion: number;
  /** How it comes about. */
  readonly because: string;
}

/** Bytes that one small commit puts into the log: one page, its header and its seal. */
const bytesPerCommit = 4_500;
const gib = 2 ** 30;

/**
 * A log object holds what all databases of a node commit within one window, so that the price of a write falls with the load: it is
 * given for commits that are alone in their window, and for the two workloads that were measured. Where a trail records accesses
 * to objects, every request is an event that is paid, too.
 */
export function usageCost({ log, compliance }: ResolvedConfiguration): readonly UsageLine[] {
  const store = log.kind === 'standard' ? prices.standard : prices.express;
  const copies = log.kind === 'express-quorum' ? 3 : 1;
  const event = compliance.trail === 'create' ? prices.trailDataEvent : 0;
  const price = ({ logWrites, otherWrites, otherReads }: CommitRequests): number =>
    logWrites * copies * (store.write + event) +
    otherWrites * (prices.standard.write + event) +
    otherReads * (prices.standard.read + event) +
    (copies * bytesPerCommit * store.uploadedGib) / gib;

  return [
    {
      what: 'commits, each alone in its window',
      perMillion: 1e6 * price({ logWrites: 1, otherWrites: upkeepWritesPerLogObject, otherReads: 0 }),
      because: `${copies} log ${copies === 1 ? 'object' : 'objects'} for each`,
    },
    ...measuredCommits.map((measured): UsageLine => {
      const requests = measured[log.kind === 'standard' ? 'standard' : 'express'];
      return {
        what: `commits: ${measured.workload}`,
        perMillion: 1e6 * price(requests),
        because: `${(1 / requests.logWrites).toFixed(1)} commits in a log object, ${copies} of each`,
      };
    }),
    {
      what: 'queries of open databases',
      perMillion: 0,
      because: 'they are answered from the copy of the node, without a request',
    },
    {
      what: 'opens of databases that no node has',
      perMillion:
        1e6 *
        (openRequests.reads * (prices.standard.read + event) +
          openRequests.writes * (prices.standard.write + event) +
          openRequests.unwraps * prices.kmsRequest),
      because: `${openRequests.reads} reads, ${openRequests.writes} writes and ${openRequests.unwraps} unwrapping of a data key each`,
    },
    {
      what: 'months of an idle database',
      perMillion: 0,
      because: 'nothing is asked or written for it; its storage is paid',
    },
  ];
}
