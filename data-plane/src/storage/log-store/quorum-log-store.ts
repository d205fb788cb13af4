/**
 * Logs in three zones, of which one may be lost or cut off at any moment; docs/protocol.md, "Three zones", has the rules
 * and why they hold. In short:
 *
 * An entry is stored when two zones have it. A log ends where two zones have a seal: an entry in two zones and seals in
 * two zones do not fit into three. An entry found in any zone counts, and is copied to the data store when it was not seen
 * in two, before the record that names it is created. A zone's holes and seals say something only while the zone holds the
 * beginning of the epoch's log (position 0): a bucket that replaced a lost one does not.
 */
import { ByocError } from '../../errors/catalogue.js';
import type { NodeEpoch } from '../../identity.js';
import { StoreUnavailableError, type ObjectStore } from '../../object-store/object-store.js';
import type { Runtime } from '../../runtime.js';
import { backoffMs, conditionalWrite, requestRetries, type RetryPolicy } from '../conditional-write.js';
import { decodeIndex, encodeLogObject, encodeSeal, isSeal } from '../log-object.js';
import { logCopyName, logCopyPrefix, logObjectName, logPrefix } from '../object-names.js';
import { askZones, type ZoneAnswers } from './ask-zones.js';
import { lookAt } from './entry-index.js';
import { EntryWrite, quorum } from './entry-write.js';
import { listPositions } from './list-positions.js';
import type { CreateOutcome, LogEntry, LogStore } from './log-store.js';
import type { LogZone, ZoneReport } from './log-zone.js';

export interface QuorumLogStoreOptions {
  readonly runtime: Runtime;
  /** Three. */
  readonly zones: readonly LogZone[];
  /** Regional: has the copies. */
  readonly dataStore: ObjectStore;
  readonly report?: ZoneReport;
}

type Standing = Pick<LogEntry, 'index'> | 'seal' | undefined;
/** What a zone says of a position; `aside`: nothing that counts, because the zone does not take part in this log. */
type Look = Standing | 'aside';

const absent = { ifAbsent: true } as const;
const beginning = encodeLogObject([]).bytes;
const beginningRetries: RetryPolicy = { attempts: Infinity, firstDelayMs: 1_000, maxDelayMs: 10_000 };
const readHedgeMs = 100;
/** A zone that could not delete owes it, up to so many. */
const mostOwedDeletions = 10_000;
const owedDeletionsAtOnce = 3;
const mostKnownParts = 100;

export class QuorumLogStore implements LogStore {
  readonly #runtime: Runtime;
  readonly #zones: readonly LogZone[];
  readonly #dataStore: ObjectStore;
  readonly #report: ZoneReport;
  readonly #owedDeletions = new Map<LogZone, Set<string>>();
  /** Zones that were seen to take part in the log of an epoch. */
  readonly #knownParts = new Map<string, Promise<boolean>>();
  #isClosed = false;

  constructor({ runtime, zones, dataStore, report }: QuorumLogStoreOptions) {
    if (zones.length !== 3) throw new RangeError('a log has three zones');
    this.#runtime = runtime;
    this.#zones = zones;
    this.#dataStore = dataStore;
    this.#report = report ?? ((): void => undefined);
  }

  /** Gives up what is still tried in the background. */
  close(): void {
    this.#isClosed = true;
  }

  async begin(epoch: NodeEpoch): Promise<void> {
    const key = this.nameOf(epoch, 0);
    const { answers, errors } = await askZones(
      this.#runtime,
      this.#zones,
      async (zone) => zone.create(key, beginning),
      (found) => (count(found, 'held') === 3 ? 'enough' : count(found, 'held') === quorum ? 'usable' : 'too-few'),
    );
    if (count(answers, 'refused') > 0) throw new Error(`the log of node epoch ${epoch} exists already`);
    if (count(answers, 'held') < quorum) throw unavailable(`the log of node epoch ${epoch} cannot begin`, errors);
    for (const zone of this.#zones) if (!answers.has(zone)) void this.#beginLate(zone, key);
  }

  async create(epoch: NodeEpoch, position: number, bytes: Buffer): Promise<CreateOutcome> {
    return new EntryWrite(this.#runtime, this.#zones, this.nameOf(epoch, position), bytes, this.#report).run();
  }

  async look(epoch: NodeEpoch, position: number): Promise<LogEntry | undefined> {
    const key = this.nameOf(epoch, position);
    const found = await askZones(
      this.#runtime,
      this.#zones,
      async (zone): Promise<Look> => {
        const standing = await lookAt(key, async (length) => zone.store.getRange(key, 0, length));
        return isEntry(standing) || (await this.#tookPart(zone, epoch)) ? standing : 'aside';
      },
      (answers) => {
        const entries = [...answers.values()].filter(isEntry).length;
        if (entries >= quorum) return 'enough';
        if (answers.size - count(answers, 'aside') < quorum) return 'too-few';
        return entries === 0 ? 'enough' : 'usable';
      },
    );
    const entries = [...found.answers.values()].filter(isEntry);
    const [entry] = entries;
    if (entry) return { index: entry.index, needsCopy: entries.length < quorum };
    if (found.answers.size - count(found.answers, 'aside') < quorum) throw this.#undecided(epoch, position, found);
    return undefined;
  }

  async seal(epoch: NodeEpoch, position: number, by: NodeEpoch): Promise<'sealed' | LogEntry> {
    const key = this.nameOf(epoch, position);
    const seal = encodeSeal(by);
    const found = await askZones(
      this.#runtime,
      this.#zones,
      async (zone): Promise<Look> => {
        const written = await zone.store.put(key, seal, absent);
        const standing = written.won
          ? 'seal'
          : await lookAt(key, async (length) => zone.store.getRange(key, 0, length));
        if (isEntry(standing)) return standing;
        if (standing === undefined) throw new StoreUnavailableError(`object ${key} appeared and vanished`);
        // Only now: a zone that was replaced before has no seal that counts.
        return (await this.#takesPart(zone, epoch)) ? 'seal' : 'aside';
      },
      (answers) => ([...answers.values()].some(isEntry) || count(answers, 'seal') >= quorum ? 'enough' : 'too-few'),
    );
    const entry = [...found.answers.values()].find(isEntry);
    if (entry) return { index: entry.index, needsCopy: true };
    if (count(found.answers, 'seal') >= quorum) return 'sealed';
    throw this.#undecided(epoch, position, found);
  }

  async preserve(epoch: NodeEpoch, position: number): Promise<void> {
    const key = this.nameOf(epoch, position);
    const { answers, errors } = await askZones(
      this.#runtime,
      this.#zones,
      async (zone) => {
        const object = await zone.store.get(key);
        if (object === undefined || isSeal(object.body)) return undefined;
        decodeIndex(key, object.body);
        return object.body;
      },
      (found) => ([...found.values()].some((body) => body !== undefined) ? 'enough' : 'too-few'),
    );
    const body = [...answers.values()].find((found) => found !== undefined);
    if (!body) throw unavailable(`log object ${key} is in no zone that answers`, errors);
    const copy = logCopyName(epoch, position);
    const written = await conditionalWrite(this.#runtime, this.#dataStore, copy, body, absent);
    if (!written.won) throw new ByocError('STORE_OBJECT_CORRUPT', `object ${copy} is not a copy of ${key}`);
  }

  async read(epoch: NodeEpoch, position: number, start: number, length: number): Promise<Buffer | undefined> {
    const key = this.nameOf(epoch, position);
    const copy = logCopyName(epoch, position);
    for (let attempt = 1; ; attempt++) {
      const zones = await this.#readZones(key, start, length);
      if (zones.whole) return zones.whole;
      const copied = await this.#readCopy(copy, start, length);
      if (copied instanceof Buffer) return copied;
      const trouble = [...zones.errors, ...(copied ? [copied] : [])];
      if (trouble.length === 0) return zones.part;
      if (attempt === requestRetries.attempts) {
        throw new ByocError('STORE_UNAVAILABLE', `object ${key} could not be read`, { cause: trouble.at(-1) });
      }
      await this.#runtime.sleep(backoffMs(this.#runtime, requestRetries, attempt));
    }
  }

  async remove(epoch: NodeEpoch, position: number): Promise<void> {
    if (position === 0) return;
    const key = this.nameOf(epoch, position);
    await Promise.all(this.#zones.map(async (zone) => this.#removeIn(zone, key)));
    await this.#dataStore.delete(logCopyName(epoch, position));
  }

  /** A zone that is lost would have to be waited for. */
  async lastPosition(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async positions(epoch: NodeEpoch): Promise<number[]> {
    const lists = await Promise.all([
      listPositions(this.#runtime, this.#dataStore, logCopyPrefix(epoch)),
      ...this.#zones.map(async ({ store }) => listPositions(this.#runtime, store, logPrefix(epoch))),
    ]);
    return [...new Set(lists.flat())].sort((a, b) => a - b);
  }

  nameOf(epoch: NodeEpoch, position: number): string {
    return logObjectName(epoch, position);
  }

  /** The zone was away when the epoch began. It takes part as soon as it has the beginning. */
  async #beginLate(zone: LogZone, key: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      await this.#runtime.sleep(backoffMs(this.#runtime, beginningRetries, Math.min(attempt, 10)));
      if (this.#isClosed) return;
      try {
        await zone.create(key, beginning);
        return;
      } catch (error) {
        this.#report(zone.name, 'not-begun', error);
      }
    }
  }

  async #takesPart(zone: LogZone, epoch: NodeEpoch): Promise<boolean> {
    return (await zone.store.getRange(this.nameOf(epoch, 0), 0, 1)) !== undefined;
  }

  /** As it was when it was asked first; enough where nothing is decided yet. */
  async #tookPart(zone: LogZone, epoch: NodeEpoch): Promise<boolean> {
    const name = `${zone.name}/${epoch}`;
    const known = this.#knownParts.get(name);
    if (known) return known;
    if (this.#knownParts.size >= mostKnownParts) this.#knownParts.clear();
    const asked = this.#takesPart(zone, epoch);
    this.#knownParts.set(name, asked);
    const forget = (): boolean => this.#knownParts.delete(name);
    asked.then((takesPart) => takesPart || forget(), forget);
    return asked;
  }

  /** One zone after the other, the next when one fails, has nothing, or is slow. */
  async #readZones(
    key: string,
    start: number,
    length: number,
  ): Promise<{ whole?: Buffer; part: Buffer | undefined; errors: Error[] }> {
    const rest = [...this.#zones].sort((a, b) => Number(a.isFailing) - Number(b.isFailing));
    const errors: Error[] = [];
    let part: Buffer | undefined;
    let reading = 0;
    return new Promise((resolve, reject) => {
      let cancelHedge = (): void => undefined;
      const next = (): void => {
        cancelHedge();
        const zone = rest.shift();
        if (!zone) {
          if (reading === 0) resolve({ part, errors });
          return;
        }
        reading += 1;
        cancelHedge = this.#runtime.schedule(readHedgeMs, next);
        zone
          .observe(async () => zone.store.getRange(key, start, length))
          .then(
            (bytes) => {
              reading -= 1;
              if (bytes?.length === length) {
                cancelHedge();
                rest.length = 0;
                resolve({ whole: bytes, part, errors });
              } else {
                // A seal, or the end of the entry: another zone may know better.
                const isPart =
                  bytes !== undefined && bytes.length > (part?.length ?? 0) && !(start === 0 && isSeal(bytes));
                if (isPart) part = bytes;
                next();
              }
            },
            (error: unknown) => {
              reading -= 1;
              if (error instanceof StoreUnavailableError) {
                errors.push(error);
                next();
              } else reject(error instanceof Error ? error : new Error(String(error)));
            },
          )
          .catch(reject);
      };
      next();
    });
  }

  async #readCopy(copy: string, start: number, length: number): Promise<Buffer | StoreUnavailableError | undefined> {
    try {
      return await this.#dataStore.getRange(copy, start, length);
    } catch (error) {
      if (error instanceof StoreUnavailableError) return error;
      throw error;
    }
  }

  /** What the zone cannot delete now it is asked to delete once it can again. */
  async #removeIn(zone: LogZone, key: string): Promise<void> {
    const owed = this.#owedDeletions.get(zone) ?? new Set<string>();
    this.#owedDeletions.set(zone, owed);
    try {
      await zone.observe(async () => zone.store.delete(key));
      for (const older of [...owed].slice(0, owedDeletionsAtOnce)) {
        await zone.store.delete(older);
        owed.delete(older);
      }
    } catch (error) {
      if (owed.size < mostOwedDeletions) owed.add(key);
      this.#report(zone.name, 'deletion-owed', error);
    }
  }

  #undecided(epoch: NodeEpoch, position: number, { answers, errors }: ZoneAnswers<Look>): ByocError {
    const aside = this.#zones.filter((zone) => answers.get(zone) === 'aside').map(({ name }) => name);
    const key = this.nameOf(epoch, position);
    if (aside.length < quorum) return unavailable(`two zones must say what stands at ${key}`, errors, aside);
    return new ByocError(
      'STORE_OBJECT_MISSING',
      `the log of node epoch ${epoch} is not in ${aside.join(' and ')}, which do not even have its beginning`,
    );
  }
}

function isEntry(look: Look): look is Pick<LogEntry, 'index'> {
  return typeof look === 'object';
}

function count<T>(answers: ReadonlyMap<LogZone, T>, wanted: T): number {
  return [...answers.values()].filter((answer) => answer === wanted).length;
}

function unavailable(what: string, errors: ReadonlyMap<LogZone, Error>, aside: readonly string[] = []): ByocError {
  const why = [
    ...[...errors].map(([{ name }, { message }]) => `${name}: ${message}`),
    ...aside.map((name) => `${name}: does not have the beginning of this log`),
  ].join('; ');
  return new ByocError('STORE_UNAVAILABLE', `${what} (${why})`, { cause: [...errors.values()].at(-1) });
}
