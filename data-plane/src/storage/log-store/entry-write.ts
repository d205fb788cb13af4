/**
 * One entry on its way to three zones. It is stored when two of them have it; the third may have it later, or never.
 *
 * A zone that has no room (see `LogZone`) gets the entry only when the others have not decided within `hedgeMs`, or
 * cannot decide any more.
 */
import { ByocError } from '../../errors/catalogue.js';
import { OutcomeUnknownError, StoreUnavailableError } from '../../object-store/object-store.js';
import type { Runtime } from '../../runtime.js';
import { backoffMs, type RetryPolicy } from '../conditional-write.js';
import type { LogZone, ZoneReport } from './log-zone.js';
import type { CreateOutcome } from './log-store.js';

const hedgeMs = 100;
/** How often an entry that two zones have is tried in the third. */
const laggardRetries: RetryPolicy = { attempts: 4, firstDelayMs: 100, maxDelayMs: 2_000 };
/** Zones that must have an entry, or a seal. */
export const quorum = 2;

type ZoneState = 'unsent' | 'sent' | 'held' | 'refused' | 'failed';

export class EntryWrite {
  readonly #runtime: Runtime;
  readonly #key: string;
  readonly #bytes: Buffer;
  readonly #report: ZoneReport;
  readonly #states: Map<LogZone, ZoneState>;
  #lastError: Error = new StoreUnavailableError('no zone was asked');
  #mayHaveTakenEffect = false;
  #isDecided = false;
  #decide: { resolve: (outcome: CreateOutcome) => void; reject: (error: unknown) => void } | undefined;

  constructor(runtime: Runtime, zones: readonly LogZone[], key: string, bytes: Buffer, report: ZoneReport) {
    this.#runtime = runtime;
    this.#key = key;
    this.#bytes = bytes;
    this.#report = report;
    this.#states = new Map(zones.map((zone) => [zone, 'unsent']));
  }

  /**
   * Sends the entry once to every zone that it takes. `won` when two zones have it; `lost` when two have something else,
   * or one has and no other can be asked any more. Throws `OutcomeUnknownError` or `StoreUnavailableError` when too many
   * failed.
   */
  async run(): Promise<CreateOutcome> {
    const decided = new Promise<CreateOutcome>((resolve, reject) => (this.#decide = { resolve, reject }));
    for (const zone of this.#states.keys()) if (zone.hasRoom) this.#send(zone);
    const cancel = this.#runtime.schedule(hedgeMs, () => this.#sendRest());
    if (!this.#has('sent')) this.#sendRest();
    try {
      return await decided;
    } finally {
      cancel();
    }
  }

  #sendRest(): void {
    for (const [zone, state] of this.#states) if (state === 'unsent') this.#send(zone);
  }

  #send(zone: LogZone): void {
    this.#states.set(zone, 'sent');
    zone.create(this.#key, this.#bytes).then(
      (answer) => this.#settle(zone, answer),
      (error: unknown) => this.#fail(zone, error),
    );
  }

  #settle(zone: LogZone, answer: 'held' | 'refused'): void {
    this.#states.set(zone, answer);
    if (answer === 'held') this.#report(zone.name, 'taken');
    this.#lookWhetherDecided();
  }

  #fail(zone: LogZone, error: unknown): void {
    this.#states.set(zone, 'failed');
    if (this.#isDecided) {
      void this.#tryLaggard(zone);
      return;
    }
    if (error instanceof OutcomeUnknownError) this.#mayHaveTakenEffect = true;
    else if (!(error instanceof StoreUnavailableError || error instanceof ByocError)) {
      this.#end(() => this.#decide?.reject(error));
      return;
    }
    this.#lastError = error;
    this.#lookWhetherDecided();
  }

  #lookWhetherDecided(): void {
    if (this.#isDecided) return;
    const isHopeless = !this.#has('sent') && !this.#has('unsent');
    if (this.#count('held') >= quorum) this.#win();
    else if (this.#count('refused') >= quorum || (isHopeless && this.#has('refused'))) {
      this.#end(() => this.#decide?.resolve('lost'));
    } else if (isHopeless) this.#end(() => this.#decide?.reject(this.#failure()));
    else if (!this.#has('sent')) this.#sendRest();
  }

  #failure(): Error {
    const message = `${this.#key} could not be stored in two zones: ${this.#lastError.message}`;
    const options = { cause: this.#lastError };
    return this.#mayHaveTakenEffect || this.#has('held')
      ? new OutcomeUnknownError(message, options)
      : new StoreUnavailableError(message, options);
  }

  #win(): void {
    this.#end(() => this.#decide?.resolve('won'));
    for (const [zone, state] of this.#states) {
      if (state === 'failed') void this.#tryLaggard(zone);
      else if (state === 'unsent') this.#report(zone.name, 'given-up');
    }
  }

  /** Another zone that lacks the entry gets it, unless it is in trouble for long. */
  async #tryLaggard(zone: LogZone): Promise<void> {
    if (this.#count('held') < quorum) return;
    if (zone.isFull) {
      this.#report(zone.name, 'given-up', this.#lastError);
      return;
    }
    const release = zone.hold(this.#bytes.length);
    let lastError: unknown = this.#lastError;
    try {
      for (let attempt = 1; attempt < laggardRetries.attempts && !zone.isAway; attempt++) {
        await this.#runtime.sleep(backoffMs(this.#runtime, laggardRetries, attempt));
        try {
          if ((await zone.create(this.#key, this.#bytes)) === 'held') this.#report(zone.name, 'taken');
          return;
        } catch (error) {
          lastError = error;
        }
      }
    } finally {
      release();
    }
    this.#report(zone.name, 'given-up', lastError);
  }

  #end(tell: () => void): void {
    if (this.#isDecided) return;
    this.#isDecided = true;
    tell();
  }

  #count(state: ZoneState): number {
    return [...this.#states.values()].filter((each) => each === state).length;
  }

  #has(state: ZoneState): boolean {
    return this.#count(state) > 0;
  }
}
