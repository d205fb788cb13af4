import type { Work } from '../turns.js';
import type { LoggedDatabase } from './commit-log.js';
import { fragmentBytes, writeFragment, type Commit, type FragmentDigest } from './fragment.js';
import { layOutLogObject, type IndexedFragment } from './log-object.js';

export interface CommitsToSeal {
  readonly database: LoggedDatabase;
  /** At least one. */
  readonly commits: readonly Commit[];
}

/**
 * Lays out one log object; its bytes are complete when the work is done. Each database's chain then goes on from its
 * fragment here, so only one object may be sealed at a time. Keys are taken by this call, whatever happens to a database
 * while the work is done: an object holds the commits of others too.
 */
export function sealLogObject(pending: readonly CommitsToSeal[]): {
  bytes: Buffer;
  index: IndexedFragment[];
  sealing: Work<void>;
} {
  const { bytes, index } = layOutLogObject(
    pending.map(({ database, commits }) => ({
      database: database.id,
      term: database.term,
      firstCommit: (commits[0] as Commit).number,
      lastCommit: (commits.at(-1) as Commit).number,
      length: fragmentBytes(commits),
    })),
  );
  const fragments = pending.map(({ database, commits }, at) => {
    const { offset, length } = index[at] as IndexedFragment;
    const target = bytes.subarray(offset, offset + length);
    const { sealer, id, term, chainDigest } = database;
    return { database, work: writeFragment(target, sealer, id, term, chainDigest, commits) };
  });
  return { bytes, index, sealing: sealAll(fragments) };
}

function* sealAll(
  fragments: readonly { readonly database: LoggedDatabase; readonly work: Work<FragmentDigest> }[],
): Work<void> {
  for (const { database, work } of fragments) database.chainDigest = yield* work;
}
