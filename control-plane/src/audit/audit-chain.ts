/**
 * The audit log is a chain: the hash of each entry covers the hash of the one before, so an entry that was changed, left
 * out or put in between is found by anyone who has the entries, without asking the control plane.
 */
import { createHash } from 'node:crypto';

export interface ChainedEntry {
  /** Position, from 1 on, without a gap. */
  readonly sequence: number;
  /** The entry as JSON text; exactly these bytes are hashed. */
  readonly entry: string;
  /** SHA-256 over the hash before and the entry, hex. */
  readonly hash: string;
}

/** What stands for the hash before the first entry. */
export const genesisHash = '0'.repeat(64);

export interface ChainHead {
  readonly sequence: number;
  readonly hash: string;
}

export const genesis: ChainHead = { sequence: 0, hash: genesisHash };

/** The hash of an entry that follows the one with the hash `previous`. */
export function chainHash(previous: string, entry: string): string {
  return createHash('sha256').update(`${previous}\n${entry}`).digest('hex');
}

/** The entries, chained to what is there. */
export function chain(head: ChainHead, entries: readonly string[]): ChainedEntry[] {
  const chained: ChainedEntry[] = [];
  let { sequence, hash } = head;
  for (const entry of entries) {
    sequence += 1;
    hash = chainHash(hash, entry);
    chained.push({ sequence, entry, hash });
  }
  return chained;
}

/** What is wrong with an entry that should follow `head`; undefined when nothing is. */
export function linkFault(head: ChainHead, entry: ChainedEntry): string | undefined {
  if (entry.sequence !== head.sequence + 1) return `entry ${entry.sequence} follows entry ${head.sequence}`;
  if (entry.hash !== chainHash(head.hash, entry.entry)) return `entry ${entry.sequence} does not have its hash`;
  return undefined;
}
