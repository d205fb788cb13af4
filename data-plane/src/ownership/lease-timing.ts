/** The times by which nodes believe in themselves and in each other; the same for every node of a deployment. */
export interface LeaseTiming {
  /** A node renews its record this often. */
  readonly beatMs: number;
  /** A record that did not change for this long may be condemned. */
  readonly leaseMs: number;
  /**
   * A node stops serving this much earlier than the lease says: for clocks that run at different speeds, and for the time
   * between the check of the lease and the moment the answer has left.
   */
  readonly marginMs: number;
}

export const defaultLeaseTiming: LeaseTiming = { beatMs: 500, leaseMs: 2_000, marginMs: 500 };
