/**
 * The chain of a database's fragments. A gap, a fragment of another database or term, or one that does not name its
 * predecessor is an error, wherever the fragment lies: in a log, an archive, or with a branch.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { Sealer } from '../keys/sealing.js';
import type { Work } from '../turns.js';
import {
  decodeFragmentHeader,
  decodingFragment,
  type Commit,
  type FragmentDigest,
  type FragmentHeader,
} from './fragment.js';

/** What the next fragment of a chain must follow. */
export interface ChainEnd {
  readonly commit: number;
  readonly chainDigest: FragmentDigest;
}

/**
 * Where reading a chain begins: at an end that is known, or at a commit of which only the number is. Then the first
 * fragment may hold that commit, too, and is proved by its seal alone, which names its commits and its predecessor.
 */
export interface ChainStart {
  readonly commit: number;
  readonly chainDigest?: FragmentDigest;
}

/** The state that a fragment follows. */
export interface ChainPoint extends ChainEnd {
  readonly commitTimeMs: number;
}

/** A fragment whose place in the chain is proved, and nothing else. */
export interface SealedFragment {
  /** The object it was read from. */
  readonly where: string;
  readonly bytes: Buffer;
  readonly header: FragmentHeader;
  readonly digest: FragmentDigest;
}

export interface TailFragment {
  readonly bytes: Buffer;
  readonly header: FragmentHeader;
  readonly commits: readonly Commit[];
  /** The chain after this fragment. */
  readonly after: ChainPoint;
}

/**
 * Takes `bytes` with their digest, read from `where`, for the next fragment of a chain. It must be of one of `databases` and, when a term is
 * given, of that term. Throws `STORE_OBJECT_CORRUPT`.
 */
export function nextFragment(
  where: string,
  bytes: Buffer,
  digest: FragmentDigest,
  end: ChainStart,
  databases: readonly DatabaseId[],
  term?: number,
): SealedFragment {
  const header = decodeFragmentHeader(where, bytes);
  const { commit, chainDigest } = end;
  const follows =
    databases.includes(header.database) &&
    (term === undefined || header.term === term) &&
    (chainDigest
      ? header.firstCommit === commit + 1 && header.previous.equals(chainDigest)
      : header.firstCommit <= commit + 1 && header.lastCommit > commit);
  if (follows) return { where, bytes, header, digest };
  throw new ByocError(
    'STORE_OBJECT_CORRUPT',
    `the fragment in ${where} does not follow commit ${end.commit} of database ${databases.at(-1) ?? 'none'}`,
  );
}

export function fragmentEnd({ header, digest }: SealedFragment): ChainEnd {
  return { commit: header.lastCommit, chainDigest: digest };
}

/** The content of a fragment of the sealer's database or one of its ancestors. Throws `STORE_OBJECT_CORRUPT`. */
export function* openingFragment(sealer: Sealer, { where, bytes, header, digest }: SealedFragment): Work<TailFragment> {
  const commits = yield* decodingFragment(sealer.of(header.database, where), where, bytes);
  const last = commits.at(-1) as Commit;
  return { bytes, header, commits, after: { commit: last.number, commitTimeMs: last.timeMs, chainDigest: digest } };
}
