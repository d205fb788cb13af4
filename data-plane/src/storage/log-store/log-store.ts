/**
 * The place where commit logs live, as writers, recoverers and readers of logs see it: positions of an epoch, not names of
 * objects. One bucket and three zonal buckets are two implementations.
 *
 * At each position of an epoch's log stands nothing, an entry, or a seal. What is created first decides and is never
 * replaced; entries are created by the epoch alone, with one content per position, seals by whoever ends the log.
 */
import type { NodeEpoch } from '../../identity.js';
import type { IndexedFragment } from '../log-object.js';

/** An entry as a recoverer sees it. */
export interface LogEntry {
  readonly index: readonly IndexedFragment[];
  /** It might not outlive the loss of a bucket, and must be preserved before a record names it. */
  readonly needsCopy: boolean;
}

/** `lost`: something else stands there, or stood there and was removed; the log of the epoch has ended. */
export type CreateOutcome = 'won' | 'lost';

export interface LogStore {
  /**
   * Creates the beginning of a log: position 0, an entry that holds nothing and is never removed. Throws
   * `STORE_UNAVAILABLE`, or an error when the log exists already.
   */
  begin(epoch: NodeEpoch): Promise<void>;

  /**
   * Creates an entry, or the epoch's own seal, and tries once. `won` when it stands there, also because of an earlier
   * attempt. Throws `OutcomeUnknownError` and `StoreUnavailableError`; whoever tries again gives the same bytes.
   */
  create(epoch: NodeEpoch, position: number, bytes: Buffer): Promise<CreateOutcome>;

  /**
   * What stands at a position; undefined: nothing that is known to count yet. Throws `STORE_OBJECT_CORRUPT` when it is neither an entry nor a seal,
   * and `STORE_UNAVAILABLE`.
   */
  look(epoch: NodeEpoch, position: number): Promise<LogEntry | 'seal' | undefined>;

  /**
   * Ends a log at a position where nothing was seen. Returns `sealed` when a seal stands there, whoever created it, or the
   * entry that was faster. Throws `STORE_UNAVAILABLE`, and `STORE_OBJECT_MISSING` when what was faster is gone again.
   *
   * @param by - Who seals.
   */
  seal(epoch: NodeEpoch, position: number, by: NodeEpoch): Promise<'sealed' | LogEntry>;

  /**
   * Sees to it that an entry outlives the loss of any one bucket. Throws `STORE_UNAVAILABLE`, also when it was lost
   * meanwhile: then the walk has to be repeated.
   */
  preserve(epoch: NodeEpoch, position: number): Promise<void>;

  /**
   * Bytes `[start, start + length)` of an entry, fewer when it ends earlier; undefined when there is none. Throws
   * `STORE_UNAVAILABLE`.
   */
  read(epoch: NodeEpoch, position: number, start: number, length: number): Promise<Buffer | undefined>;

  /**
   * Removes an entry below the durable low-water mark, or of an ended log that nothing refers to; never the seal at which
   * a log was recorded to end. The beginning of a log stays: removing position 0 does nothing. Throws
   * `StoreUnavailableError`; removing again is safe.
   */
  remove(epoch: NodeEpoch, position: number): Promise<void>;

  /**
   * The positions of an ended log at which anything stands that can be removed or is its seal, ascending: all but the
   * beginning. Throws `STORE_UNAVAILABLE` when a bucket cannot be listed, so that nothing is forgotten there.
   */
  positions(epoch: NodeEpoch): Promise<number[]>;

  /**
   * The last position at which anything stands, 0 for none but the beginning; undefined where no one bucket can tell. Throws
   * `STORE_UNAVAILABLE`.
   */
  lastPosition(epoch: NodeEpoch): Promise<number | undefined>;

  /** Names a position to a reader of messages. */
  nameOf(epoch: NodeEpoch, position: number): string;
}
