import type { WorkloadName } from '../run/workload.js';

/**
 * Deliberate breakages of the protocol in the product's own code, one line each. The simulator must notice every one of
 * them, or its silence means nothing. `file` is below the built code; `from` stands in it exactly once.
 */
export interface Mutation {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** The named schedule that notices it, where chance comes by too rarely. */
  readonly schedule?: string;
  /** What the runs must be about. @default plain */
  readonly workload?: WorkloadName;
}

export const mutations: readonly Mutation[] = [
  {
    name: 'recovery does not seal the log',
    file: 'storage/log-store/single-log-store.js',
    from: 'const seal = await conditionalWrite(this.#runtime, this.#store, key, encodeSeal(by), absent);',
    to: 'const seal = { won: true };',
  },
  {
    name: 'a log write that lost is taken for won',
    file: 'storage/log-store/single-log-store.js',
    from: "return current?.body.equals(bytes) ? 'won' : 'lost';",
    to: "return 'won';",
  },
  {
    name: 'commits are acknowledged before they are stored',
    file: 'storage/commit-log.js',
    from: 'const entry = { position, sinceMs, fragments, stored: false };',
    to: 'const entry = { position, sinceMs, fragments, stored: false }; for (const { database, location, last } of fragments) database.onDurable(location, last);',
  },
  {
    name: 'log objects are acknowledged out of order',
    file: 'storage/commit-log.js',
    from: 'const { position, fragments } = this.#inFlight.shift();',
    to: 'const { position, fragments } = this.#inFlight.shift(); for (const other of this.#inFlight) for (const { database, location, last } of other.fragments) database.onDurable(location, last);',
  },
  {
    name: 'a log goes on after its write has lost',
    file: 'storage/commit-log.js',
    from: "if ((await store.create(epoch, position, bytes)) === 'won')",
    to: "await store.create(epoch, position, bytes); if (this.#state !== 'fenced')",
  },
  {
    name: 'a write without an answer is taken for lost',
    file: 'storage/conditional-write.js',
    from: 'const result = await store.put(key, body, condition);',
    to: 'if (mayHaveTakenEffect) return { won: false, current: await store.get(key) }; const result = await store.put(key, body, condition);',
  },
  {
    name: 'names of generations do not carry the term',
    file: 'storage/object-names.js',
    from: '${padded(term)}-${padded(generation)}',
    to: '${padded(generation)}',
  },
  {
    name: 'a manifest is replaced whatever stands there',
    file: 'storage/manifest-store.js',
    from: 'ifMatch: base.etag',
    to: 'ifMatch: ((await this.#store.get(key).catch(() => undefined)) ?? base).etag',
    workload: 'branches',
  },
  {
    name: 'a claim does not ask whose epoch owns the database',
    file: 'ownership/claim.js',
    from: 'const isOwn = manifest.owner === epoch;',
    to: 'const isOwn = manifest.owner !== undefined;',
  },
  {
    name: 'a claim needs no recovery record',
    file: 'ownership/claim.js',
    from: 'if (!recovery) {',
    to: 'if (!recovery) { return manifest.tail;',
  },
  {
    name: 'a claim does not extend the tail',
    file: 'ownership/claim.js',
    from: 'return fragments.length === 0 ? manifest.tail',
    to: 'return fragments.length >= 0 ? manifest.tail',
  },
  {
    name: 'a claim does not raise the term',
    file: 'ownership/claim.js',
    from: 'term: term + 1',
    to: 'term',
  },
  {
    name: 'the walk of a recovery begins above the mark',
    file: 'ownership/recover-epoch.js',
    from: 'await walkAndSeal(stores, epoch, by, lowWaterPosition);',
    to: 'await walkAndSeal(stores, epoch, by, lowWaterPosition + 2);',
  },
  {
    name: 'the gate ignores durability',
    file: 'database/durability-gate.js',
    from: 'commit > this.#durable ? await this.durableAt(commit) : undefined;',
    to: 'undefined;',
  },
  {
    name: 'the gate ignores the lease',
    file: 'database/durability-gate.js',
    from: 'if (!this.#lease.holds())',
    to: 'if (false)',
    schedule: 'a reader that stood still past every lease',
  },
  {
    name: 'a node is condemned though its lease holds',
    file: 'ownership/node-watch.js',
    from: 'if (observation.unchangedMs >= timing.leaseMs)',
    to: 'if (observation.unchangedMs >= timing.beatMs / 2)',
  },
  {
    name: 'a database is reopened before its commits are resolved',
    file: 'database/open-database.js',
    from: 'await this.#durable(this.#intake.handed);\n            await session.slot',
    to: 'await session.slot',
  },
  {
    name: 'an abandoned request is said to have no effect',
    file: 'database/engine-request.js',
    from: 'if (request.readOnly || !hasSeenCommits ||',
    to: 'if (true ||',
  },
  {
    name: 'a fold forgets a fragment that it did not fold',
    file: 'database/unfolded-fragments.js',
    from: 'last > commit));',
    to: 'last > commit + 1));',
  },
  {
    name: 'the log of a dead node is collected though it is needed',
    file: 'ownership/collect-log.js',
    from: 'if (!(await needs(database)))\n            continue;',
    to: 'continue;',
  },
  {
    name: 'log objects are deleted before the higher mark is recorded',
    file: 'ownership/low-water-mark.js',
    from: 'await record.change({',
    to: 'const change = (wanted) => void record.change(wanted).catch(() => undefined); change({',
  },
  {
    name: 'the mark passes what is not folded',
    file: 'ownership/low-water-mark.js',
    from: 'unfolded.lowestPosition() ?? Infinity, ',
    to: '',
  },
  {
    name: 'the node record does not name its packs',
    file: 'ownership/low-water-mark.js',
    from: 'packs: [...packs].sort((a, b) => a - b),',
    to: 'packs: [],',
  },
  {
    name: 'a request that has committed is run again',
    file: 'database/engine-request.js',
    from: 'lost.isCulprit || lost.hasCommitted ||',
    to: 'lost.isCulprit ||',
    schedule: 'an engine process that ends between a commit and its answer',
  },
  {
    name: 'a data key leaves the ring though what is kept is sealed under it',
    file: 'database/rekey-database.js',
    from: 'isPastHistory(manifest, key) && !pinned.has(key.number)',
    to: 'true',
    workload: 'keys',
  },
  {
    name: 'a generation that needs an old data key does not say so',
    file: 'storage/data-key-use.js',
    from: 'isShared || used.has(key.number)',
    to: 'false',
    workload: 'keys',
  },
  {
    name: 'a database is released with a write in flight',
    file: 'database/open-database.js',
    from: 'await this.#durable(this.#intake.handed);\n            if (this.#defunct)',
    to: 'if (this.#defunct)',
    schedule: 'a database released with a write in flight',
  },
  {
    name: 'the seal of an ended log is deleted with it',
    file: 'ownership/collect-log.js',
    from: 'if (position === sealedAt)\n            continue;',
    to: '',
    schedule: 'a log write landing at its seal after its log was collected',
  },
  {
    name: 'two who want a database alone let somebody open it in between',
    file: 'database/resident-databases.js',
    from: 'const before = this.#exclusive.get(id);',
    to: 'for (let busy = this.#exclusive.get(id); busy; busy = this.#exclusive.get(id)) await busy.catch(() => undefined); const before = undefined;',
    schedule: 'a collection and a request that wait for the same database',
  },
  {
    name: 'a branch does not see that its parent was folded meanwhile',
    file: 'database/branch-database.js',
    from: 'return present.manifest.version === parent.manifest.version ? parent : undefined;',
    to: 'return parent;',
    schedule: 'a branch of a database that is folded for the first time',
  },
  {
    name: 'a branch of a moment leaves out the commit of that moment',
    file: 'storage/moment.js',
    from: 'commitTimeMs > moment.timeMs',
    to: 'commitTimeMs >= moment.timeMs',
    workload: 'branches',
  },
  {
    name: 'a collection gives up history that is to be kept',
    file: 'database/collect-database.js',
    from: 'runtime.nowMs() - policy.historyMs',
    to: 'runtime.nowMs()',
    schedule: 'a collection of a database whose history is still kept',
  },
  {
    name: 'an entry is acknowledged when one zone has it',
    file: 'storage/log-store/entry-write.js',
    from: "if (this.#count('held') >= quorum)\n            this.#win();",
    to: "if (this.#count('held') >= 1) this.#win();",
    workload: 'zones',
  },
  {
    name: 'a collection ignores the pins of branches',
    file: 'storage/garbage.js',
    from: 'for (const pin of manifest.pins ?? [])',
    to: 'for (const pin of [])',
    schedule: 'a branch made while a collection stands still',
  },
  {
    name: 'a branch is made though its pin has lost',
    file: 'database/branch-database.js',
    from: "return 'lost' in result ? undefined : result;",
    to: "return 'lost' in result ? parent : result;",
    schedule: 'a collection run while a branch of an earlier moment stands still',
  },
  {
    name: 'garbage is deleted before it is recorded',
    file: 'database/collect-database.js',
    from: 'const garbage = keys.length > 0',
    to: 'for (const key of keys) await dataStore.delete(key); const garbage = keys.length > 0',
    schedule: 'a branch of an earlier moment made while a collection stands still',
  },
  {
    name: 'a pin is given up though its branch may still be made',
    file: 'database/collect-database.js',
    from: 'return !(await context.manifests.create(abandonedBranch(context, manifest, pin)));',
    to: 'return false;',
    schedule: 'the manifest of a branch landing after its pin was given up',
  },
  {
    name: 'an entry in one zone does not count beside a seal',
    file: 'storage/log-store/quorum-log-store.js',
    from: 'if (isEntry(standing))\n                return standing;',
    to: "if (isEntry(standing)) return 'seal';",
    schedule: 'quorum with one entry, one seal and one zone gone',
  },
  {
    name: 'an entry that was faster than a seal in its zone is not copied',
    file: 'storage/log-store/quorum-log-store.js',
    from: 'return { index: entry.index, needsCopy: true };',
    to: 'return { index: entry.index, needsCopy: false };',
    schedule: 'quorum with one entry, one seal and one zone gone',
  },
  {
    name: 'an entry in one zone is not copied',
    file: 'storage/log-store/quorum-log-store.js',
    from: 'needsCopy: entries.length < quorum };',
    to: 'needsCopy: false };',
    schedule: 'quorum with one entry, one seal and one zone gone',
  },
  {
    name: 'one seal ends a log in three zones',
    file: 'storage/log-store/quorum-log-store.js',
    from: "if (count(found.answers, 'seal') >= quorum)",
    to: "if (count(found.answers, 'seal') >= 1)",
    schedule: 'quorum with one entry, one seal and one zone gone',
  },
];
