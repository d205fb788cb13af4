import type { Lease } from '../../src/ownership/own-record.js';

/** A lease that always holds. */
export const heldLease: Lease = { holds: () => true, held: async () => true };
