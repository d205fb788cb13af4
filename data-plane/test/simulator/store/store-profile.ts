/** How fast a store is and how it misbehaves by itself, outages apart. */
export interface StoreProfile {
  /** Middle of the time that a request takes, and how wide the times spread (see `Random.logNormalMs`). */
  readonly readMs: number;
  readonly writeMs: number;
  readonly spread: number;
  /** In percent of the requests: it takes ten to a hundred times as long. */
  readonly slowPercent: number;
  /** Answered 500 or 503 at once; nothing was done. */
  readonly refusedPercent: number;
  /** Writes: done, and the answer was lost. */
  readonly lostAnswerPercent: number;
  /** Writes: not done, and nobody knows. Reads: no answer. */
  readonly lostRequestPercent: number;
  /** Writes: given up as unknown, and done later, up to `maxLatenessMs` later. */
  readonly latePercent: number;
  readonly maxLatenessMs: number;
  /** When a request without an answer is given up. */
  readonly timeoutMs: number;
}

const healthy = {
  slowPercent: 0,
  refusedPercent: 0,
  lostAnswerPercent: 0,
  lostRequestPercent: 0,
  latePercent: 0,
  maxLatenessMs: 0,
  timeoutMs: 2_000,
};

const faulty = {
  slowPercent: 1,
  refusedPercent: 3,
  lostAnswerPercent: 2,
  lostRequestPercent: 2,
  latePercent: 1,
  maxLatenessMs: 20_000,
  timeoutMs: 1_500,
};

/** S3 Standard within its region: a median of some 15 ms for reads and 30 ms for writes, with a long tail. */
export const s3Standard: StoreProfile = { ...healthy, readMs: 15, writeMs: 30, spread: 1.6 };
/** S3 Express within its zone: 4 to 6 ms. */
export const s3Express: StoreProfile = { ...healthy, readMs: 4, writeMs: 6, spread: 1.25 };

export function withFaults(profile: StoreProfile): StoreProfile {
  return { ...profile, ...faulty };
}
