/** Walks the log of an epoch upwards, to where it ends or is ended. */
import { ByocError } from '../errors/catalogue.js';
import type { NodeEpoch } from '../identity.js';
import { mostLogObjectsInFlight } from '../storage/commit-log.js';
import type { LogEntry, LogStore } from '../storage/log-store/log-store.js';

/** Positions that are read at once while it is not known how far the log goes, the more the further it went, and at the most. */
const readAhead = 16;
const mostReadAhead = 256;
/** Positions beyond a missing one that are looked at for a proof that the store lost it, where they cannot be listed. */
const lookBeyond = 32;

/** Entries by position, and the position of the first thing that is none. */
export interface WalkedLog {
  readonly end: number;
  readonly entries: ReadonlyMap<number, LogEntry>;
}

/**
 * Reads every entry from `from` on. `atMissing` decides at a position where nothing stands: the log ends there, or an entry
 * has come after all. Throws `STORE_OBJECT_MISSING` where the store is known to have lost an entry, `STORE_OBJECT_CORRUPT`,
 * and `STORE_UNAVAILABLE`.
 */
export async function walkLog(
  logStore: LogStore,
  epoch: NodeEpoch,
  from: number,
  atMissing: (position: number) => Promise<'end' | LogEntry>,
): Promise<WalkedLog> {
  const entries = new Map<number, LogEntry>();
  const looks: Promise<LogEntry | 'seal' | undefined>[] = [];
  // Listed while the first are read: it only saves looks at what is not there, so it may fail, or be late.
  const listed: { to: number | undefined } = { to: 0 };
  void lastPosition(logStore, epoch).then((last) => (listed.to = last));
  for (let position = from; ; position++) {
    const { to } = listed;
    const wanted = to === undefined ? readAhead + entries.size : Math.max(readAhead, to + 1 - position);
    const ahead = Math.min(wanted, mostReadAhead);
    while (looks.length < ahead) {
      const look = logStore.look(epoch, position + looks.length);
      // Thrown only when the walk gets there: beyond the end of the log nothing was acknowledged, and damage is harmless.
      look.catch(() => undefined);
      looks.push(look);
    }
    let entry = await looks.shift();
    if (entry === undefined) {
      await assertNeverWritten(logStore, epoch, position);
      const met = await atMissing(position);
      if (met === 'end') return { end: position, entries };
      entry = met;
    }
    if (entry === 'seal') return { end: position, entries };
    entries.set(position, entry);
  }
}

/** The last position at which anything stands; undefined when that cannot be told. */
async function lastPosition(logStore: LogStore, epoch: NodeEpoch): Promise<number | undefined> {
  try {
    return await logStore.lastPosition(epoch);
  } catch {
    // Whoever asked looks at positions instead.
    return undefined;
  }
}

/**
 * Throws when something beyond a missing position proves that it held an object once: a log never has more objects on
 * their way than `mostLogObjectsInFlight`.
 */
async function assertNeverWritten(logStore: LogStore, epoch: NodeEpoch, missing: number): Promise<void> {
  const exists = async (position: number): Promise<boolean> => (await logStore.look(epoch, position)) !== undefined;
  const last = await lastPosition(logStore, epoch);
  if (last !== undefined) {
    if (last < missing + mostLogObjectsInFlight) return;
  } else {
    const beyond = Array.from({ length: lookBeyond }, (_, index) => missing + mostLogObjectsInFlight + index);
    if (!(await Promise.all(beyond.map(exists))).includes(true)) return;
  }
  // The old node may have been writing: what stands beyond was written after the missing one, which can be read by now.
  if (await exists(missing)) return;
  throw new ByocError(
    'STORE_OBJECT_MISSING',
    `log object ${logStore.nameOf(epoch, missing)} is missing, though later ones are there`,
  );
}
