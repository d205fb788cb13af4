/**
 * Requests to the stores that `npm run bench -- --only cost` counted in a run of the real log, packs, marks and folds in virtual
 * time, with a commit window of 10 ms and one changed page for each commit, divided by the commits. `cost.test.ts` compares the
 * quotients with the figures that the command prints.
 */
export interface MeasuredCommits {
  readonly workload: string;
  readonly commitsPerSecond: number;
  /** By the class of the log's store. Each for one commit. */
  readonly express: CommitRequests;
  readonly standard: CommitRequests;
}

export interface CommitRequests {
  readonly logWrites: number;
  /** To S3 Standard: packs, indexes, segments, archives, manifests. */
  readonly otherWrites: number;
  readonly otherReads: number;
}

/** The command's figures are of 30 days. */
const secondsPerRun = 30 * 86_400;

function perCommit(
  commitsPerSecond: number,
  logWrites: number,
  otherWrites: number,
  otherReads: number,
): CommitRequests {
  const commits = commitsPerSecond * secondsPerRun;
  return { logWrites: logWrites / commits, otherWrites: otherWrites / commits, otherReads: otherReads / commits };
}

export const measuredCommits: readonly MeasuredCommits[] = [
  {
    workload: '10,000 databases, one write a minute each',
    commitsPerSecond: 10_000 / 60,
    express: perCommit(10_000 / 60, 231_811_200, 9_013_706, 3_808_540),
    standard: perCommit(10_000 / 60, 171_763_200, 8_408_559, 3_117_340),
  },
  {
    workload: 'one database, 1,000 commits a second',
    commitsPerSecond: 1_000,
    express: perCommit(1_000, 259_200_000, 9_763_200, 80_870_400),
    standard: perCommit(1_000, 178_934_400, 8_208_000, 83_376_000),
  },
];

/** Writes beside the log for one log object, of the busier workload: what a commit that is alone in its window causes. */
export const upkeepWritesPerLogObject = 0.039;

/**
 * An open of a database of 1 MB after its node was started anew: six requests, two of them writes, as `npm run bench -- --only
 * cold-open` counted, and one unwrapping of its data key. A larger database reads more as it is used.
 */
export const openRequests = { reads: 4, writes: 2, unwraps: 1 } as const;

/** Renewals of a data node's record, as long as it runs. */
export const beatsPerSecond = 2;
