/**
 * Knows the other nodes of the deployment, and ends the epochs of those that died.
 *
 * At every beat it reads the records of its neighbours in the ring of members, of epochs that somebody needs (`suspect`),
 * and of a few others in turn, so that the number of reads does not grow with the number of nodes. A record that was seen
 * unchanged for a lease is condemned exactly as it was seen; then the epoch's log is sealed and its recovery record written.
 * Several nodes may do this at once. Every choice made here (who is watched, who lives) decides only when to try; whether an
 * epoch has ended is decided by its record and its log alone.
 */
import { ByocError, isByocError } from '../errors/catalogue.js';
import type { NodeEpoch } from '../identity.js';
import { nodeRecordName } from '../storage/object-names.js';
import type { LeaseTiming } from './lease-timing.js';
import { addMember, listMembers, removeMember } from './members.js';
import { decodeNodeRecord, replaceNodeRecord, type NodeAddress, type VersionedNodeRecord } from './node-record.js';
import { Observation } from './observation.js';
import { recoverEpoch, type RecoveryStores } from './recover-epoch.js';
import { readRecoveryRecord, type RecoveryRecord } from './recovery-record.js';
import { withTimeLimit } from './time-limit.js';
import { Waiters } from './waiters.js';

export interface NodeWatchOptions {
  readonly stores: RecoveryStores;
  readonly own: NodeEpoch;
  readonly timing: LeaseTiming;
  /** How an epoch is recovered once it is condemned. @default recoverEpoch */
  readonly recover?: (epoch: NodeEpoch) => Promise<RecoveryRecord>;
  /** The epoch's log has ended and its databases can be claimed. */
  readonly onEnded?: (record: RecoveryRecord) => void;
  readonly onCondemned?: (epoch: NodeEpoch) => void;
  /** Called as often as the members are listed: for what is to be read as often. Must not reject. */
  readonly onListing?: () => Promise<void>;
  readonly report: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** Neighbours in the ring that a node watches at every beat. */
const neighbours = 2;
/** Other members whose records are read at each beat, in turn. */
const othersPerBeat = 4;
/** How often within a beat it is asked whether an epoch that somebody waits for has been recovered. */
const looksPerBeat = 5;
/** Members are listed at every so many beats. */
const beatsPerListing = 4;
/** A marker without a node record is removed after this long: its node died between the two. */
const orphanMs = 60_000;
/** An epoch that could not be recovered is tried again after this long. */
const retryRecoveryMs = 2_000;

interface Other {
  readonly epoch: NodeEpoch;
  readonly observation: Observation;
  isMember: boolean;
  /** Somebody waits for its end or its return. */
  isSuspect: boolean;
  readonly foundAtMs: number;
  /** Since when it is known to be condemned by somebody. */
  condemnedAtMs: number | undefined;
  recovering: boolean;
  /** A look between two beats is due. */
  looksAgain: boolean;
  retryRecoveryAtMs: number;
  /** Why its recovery failed the last time. */
  failure: Error | undefined;
}

export class NodeWatch {
  readonly #options: NodeWatchOptions;
  readonly #others = new Map<NodeEpoch, Other>();
  /** Of the epochs that somebody waits for. */
  readonly #waiters = new Map<NodeEpoch, Waiters>();
  #joinListeners: ((epoch: NodeEpoch) => void)[] = [];
  readonly #joined = new Set<NodeEpoch>();
  #beats = 0;
  #turn = 0;
  #cancelTimer: (() => void) | undefined;
  #state: 'waiting' | 'watching' | 'stopped' = 'waiting';
  #listing: Promise<void> | undefined;
  #ownAddress: NodeAddress | undefined;

  constructor(options: NodeWatchOptions) {
    this.#options = options;
  }

  /** Begins to watch; resolves when the members were listed and their records read once. */
  async start(): Promise<void> {
    this.#state = 'watching';
    await this.#list();
    await Promise.all([...this.#others.values()].map(async (other) => this.#observe(other)));
    this.#arm();
  }

  stop(): void {
    this.#state = 'stopped';
    this.#cancelTimer?.();
    for (const waiters of this.#waiters.values()) waiters.tell();
  }

  /** This node listens there: an epoch that serves at the same address was that of a process before it, and has died. */
  servesAt(address: NodeAddress): void {
    this.#ownAddress = address;
  }

  /** Where an epoch that seems to live takes requests; undefined for one that is unknown, silent or does not serve. */
  address(epoch: NodeEpoch): NodeAddress | undefined {
    const other = this.#others.get(epoch);
    const record = other?.observation.record;
    if (!other || !record || !this.#seemsAlive(other)) return undefined;
    return record.state === 'live' || record.state === 'draining' ? record.address : undefined;
  }

  /** Whether an epoch served the last time something was heard of it, which is too long ago, or is known to have died. */
  isSilent(epoch: NodeEpoch): boolean {
    const other = this.#others.get(epoch);
    const state = other?.observation.record?.state;
    return other !== undefined && (state === 'live' || state === 'draining') && !this.#seemsAlive(other);
  }

  /** Why the log of an epoch could not be recovered the last time, if so. */
  failure(epoch: NodeEpoch): Error | undefined {
    return this.#others.get(epoch)?.failure;
  }

  /** How many wait for an epoch to answer or to end. */
  get waiting(): number {
    return [...this.#waiters.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Nodes that take databases nobody owns, this one not included. */
  candidates(): NodeEpoch[] {
    return [...this.#others.values()].filter((other) => this.#isCandidate(other)).map(({ epoch }) => epoch);
  }

  /** Called once for every node that begins to take databases. */
  onJoin(listener: (epoch: NodeEpoch) => void): void {
    this.#joinListeners.push(listener);
  }

  /**
   * Somebody needs this epoch to answer or to end: it is watched at every beat from now on. Resolves when something about
   * it has changed (it ended, it answers again), or after `ms`.
   */
  async suspect(epoch: NodeEpoch, ms: number): Promise<void> {
    const other = this.#know(epoch);
    other.isSuspect = true;
    if (!other.observation.seen) await this.#observe(other);
    if (this.#state !== 'watching' || !this.#others.has(epoch)) return;
    const waiters = this.#waiters.get(epoch) ?? new Waiters(this.#options.stores.runtime);
    this.#waiters.set(epoch, waiters);
    await waiters.told(ms);
    if (this.#waiters.get(epoch)?.size === 0) this.#waiters.delete(epoch);
  }

  #seemsAlive({ observation }: Other): boolean {
    const { record, unchangedMs } = observation;
    return unchangedMs < this.#options.timing.leaseMs && !this.#isReplaced(record?.address);
  }

  #isReplaced(address: NodeAddress | undefined): boolean {
    const own = this.#ownAddress;
    return address !== undefined && address.host === own?.host && address.httpPort === own.httpPort;
  }

  #isCandidate(other: Other): boolean {
    const { record } = other.observation;
    return record?.state === 'live' && record.address !== undefined && this.#seemsAlive(other);
  }

  #know(epoch: NodeEpoch): Other {
    const known = this.#others.get(epoch);
    if (known) return known;
    const { stores, timing } = this.#options;
    const other: Other = {
      epoch,
      observation: new Observation(2 * timing.beatMs),
      isMember: false,
      isSuspect: false,
      foundAtMs: stores.runtime.monotonicMs(),
      condemnedAtMs: undefined,
      recovering: false,
      looksAgain: false,
      retryRecoveryAtMs: 0,
      failure: undefined,
    };
    this.#others.set(epoch, other);
    return other;
  }

  #arm(): void {
    if (this.#state !== 'watching') return;
    const { stores, timing } = this.#options;
    this.#cancelTimer = stores.runtime.schedule(timing.beatMs, () => {
      this.#arm();
      this.#beat();
    });
  }

  #beat(): void {
    this.#beats += 1;
    if (this.#beats % beatsPerListing === 0) {
      this.#listing ??= Promise.all([this.#list(), this.#options.onListing?.()]).then(
        () => (this.#listing = undefined),
      );
    }
    for (const other of this.#watched()) void this.#observe(other);
  }

  #watched(): Set<Other> {
    const members = [...this.#others.values()].filter(({ isMember }) => isMember);
    members.sort((a, b) => (a.epoch < b.epoch ? -1 : 1));
    const after = members.findIndex(({ epoch }) => epoch > this.#options.own);
    const ring = after < 0 ? members : [...members.slice(after), ...members.slice(0, after)];
    const watched = new Set(ring.slice(0, neighbours));
    for (const other of this.#others.values()) {
      if (other.isSuspect || !other.observation.seen || other.condemnedAtMs !== undefined) watched.add(other);
    }
    const rest = ring.slice(neighbours);
    for (let count = 0; count < Math.min(othersPerBeat, rest.length); count++) {
      watched.add(rest[this.#turn++ % rest.length] as Other);
    }
    return watched;
  }

  async #list(): Promise<void> {
    const { stores, own } = this.#options;
    let listed: NodeEpoch[];
    try {
      listed = await listMembers(stores.runtime, stores.dataStore);
      // A marker that was taken for an orphan, while this node was slow to write its record.
      if (!listed.includes(own) && this.#state === 'watching') await addMember(stores.runtime, stores.dataStore, own);
    } catch (error) {
      this.#options.report('members could not be listed', { error: String(error) });
      return;
    }
    for (const epoch of listed) if (epoch !== own) this.#know(epoch).isMember = true;
    const present = new Set(listed);
    for (const other of this.#others.values()) {
      // Ended by another node: its databases will be claimed, and who knows what it left saves a round trip.
      if (other.isMember && !present.has(other.epoch)) void this.#end(other, false);
      if (!present.has(other.epoch)) other.isMember = false;
      if (!other.isMember && !other.isSuspect && !other.recovering) this.#others.delete(other.epoch);
    }
  }

  async #observe(other: Other): Promise<void> {
    const { stores, timing, report } = this.#options;
    const key = nodeRecordName(other.epoch);
    let found: VersionedNodeRecord | undefined;
    try {
      const answer = await withTimeLimit(
        stores.runtime,
        timing.beatMs,
        stores.dataStore.get(key).then((object) => ({ object })),
      );
      if (!answer) {
        other.observation.failed();
        return;
      }
      const { object } = answer;
      found = object && { record: decodeNodeRecord(other.epoch, object.body, stores.formats), etag: object.etag };
    } catch (error) {
      other.observation.failed();
      if (isByocError(error)) {
        report('a node record cannot be read', { epoch: other.epoch, error: error.message });
        other.failure = error;
        this.#changed(other);
      }
      return;
    }
    if (this.#state !== 'watching') return;
    if (!found) await this.#orphan(other);
    else await this.#judge(other, found);
  }

  async #judge(other: Other, found: VersionedNodeRecord): Promise<void> {
    const { stores, timing } = this.#options;
    const { observation, epoch } = other;
    const nowMs = stores.runtime.monotonicMs();
    observation.answered(found, nowMs);
    if (found.record.state === 'live' || found.record.state === 'draining') other.failure = undefined;
    if (this.#isCandidate(other) && !this.#joined.has(epoch)) {
      this.#joined.add(epoch);
      for (const listener of this.#joinListeners) listener(epoch);
    }
    switch (found.record.state) {
      case 'live':
      case 'draining':
        if (observation.unchangedMs >= timing.leaseMs) await this.#condemn(other, found);
        else if (other.isSuspect && observation.unchangedMs === 0) this.#changed(other);
        // The next beat may miss the end of the lease by little, and the one after it is late by a whole beat.
        else this.#observeBetween(other, timing.leaseMs - observation.unchangedMs);
        return;
      case 'stopped':
        await this.#end(other, true);
        return;
      case 'condemned':
        other.condemnedAtMs ??= nowMs;
        // Whoever condemned it is at work, unless it died as well.
        await this.#end(other, nowMs - other.condemnedAtMs >= timing.leaseMs);
        if (other.isSuspect) this.#observeBetween(other, timing.beatMs / looksPerBeat);
    }
  }

  /** Looks at a record once more after `ms`, when that is before the next beat would. */
  #observeBetween(other: Other, ms: number): void {
    const { stores, timing } = this.#options;
    if (other.looksAgain || ms >= timing.beatMs) return;
    other.looksAgain = true;
    stores.runtime.schedule(ms, () => {
      other.looksAgain = false;
      if (this.#state === 'watching' && this.#others.get(other.epoch) === other) void this.#observe(other);
    });
  }

  async #condemn(other: Other, found: VersionedNodeRecord): Promise<void> {
    const { stores, report } = this.#options;
    if (other.recovering) return;
    other.recovering = true;
    try {
      const change = { state: 'condemned' } as const;
      const condemned = await replaceNodeRecord(stores.runtime, stores.dataStore, found, change, stores.formats);
      if (!condemned) {
        // It has renewed its lease after all, or another node was faster: then its databases can be claimed soon.
        other.observation.startAnew();
        this.#observeBetween(other, 0);
        return;
      }
      other.condemnedAtMs = stores.runtime.monotonicMs();
      report('node condemned', { epoch: other.epoch });
      this.#options.onCondemned?.(other.epoch);
    } catch (error) {
      other.observation.startAnew();
      report('a node could not be condemned', { epoch: other.epoch, error: String(error) });
      return;
    } finally {
      other.recovering = false;
    }
    await this.#end(other, true);
  }

  /** Looks whether an epoch that was condemned or stopped has its recovery record, and brings it about if need be. */
  async #end(other: Other, recover: boolean): Promise<void> {
    const { stores, own, report } = this.#options;
    const { runtime, dataStore } = stores;
    if (other.recovering || runtime.monotonicMs() < other.retryRecoveryAtMs) return;
    other.recovering = true;
    try {
      const record = recover
        ? await (this.#options.recover ?? (async (epoch) => recoverEpoch(stores, epoch, own)))(other.epoch)
        : await readRecoveryRecord(runtime, dataStore, other.epoch);
      if (!record) return;
      this.#options.onEnded?.(record);
      this.#others.delete(other.epoch);
      this.#joined.delete(other.epoch);
      this.#changed(other);
    } catch (error) {
      other.retryRecoveryAtMs = runtime.monotonicMs() + retryRecoveryMs;
      other.failure = error instanceof Error ? error : new Error(String(error));
      report('a node epoch could not be recovered', { epoch: other.epoch, error: String(error) });
      this.#changed(other);
      return;
    } finally {
      other.recovering = false;
    }
    await removeMember(dataStore, other.epoch).catch((error: unknown) => {
      report('the marker of an ended node stays', { epoch: other.epoch, error: String(error) });
    });
  }

  /** A marker without a node record, or an epoch that a manifest names and that never was. */
  async #orphan(other: Other): Promise<void> {
    const { stores, report } = this.#options;
    other.observation.failed();
    if (other.isSuspect) {
      // A manifest names it, so its record was there once.
      other.failure = new ByocError('STORE_OBJECT_MISSING', `object ${nodeRecordName(other.epoch)} is missing`);
      this.#changed(other);
      return;
    }
    if (!other.isMember) {
      this.#others.delete(other.epoch);
      this.#changed(other);
      return;
    }
    if (stores.runtime.monotonicMs() - other.foundAtMs < orphanMs) return;
    try {
      await removeMember(stores.dataStore, other.epoch);
      this.#others.delete(other.epoch);
    } catch (error) {
      report('the marker of a node that never started stays', { epoch: other.epoch, error: String(error) });
    }
  }

  #changed({ epoch }: Other): void {
    this.#waiters.get(epoch)?.tell();
  }
}
