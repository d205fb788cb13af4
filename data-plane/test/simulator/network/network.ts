/**
 * The network between clients and nodes, and between nodes: calls take time, get lost, or meet a peer that is gone, and the
 * caller often cannot tell which.
 */
import { asError } from '../world/as-error.js';
import type { Machine } from '../world/machine.js';
import type { Random } from '../world/random.js';
import type { World } from '../world/world.js';

/** A call that got no answer. `mayHaveArrived`: the peer may have acted on it, or may still. */
export class NoAnswerError extends Error {
  constructor(
    message: string,
    readonly mayHaveArrived: boolean,
  ) {
    super(message);
  }
}

export interface CallOptions {
  /** When the caller gives up; it then does not know what became of its call. */
  readonly timeoutMs: number;
  /** A new connection that is not accepted for this long is given up; nothing was sent then. */
  readonly connectTimeoutMs: number;
  /** Aborted when the caller gives up by itself. */
  readonly signal?: AbortSignal;
}

export interface NetworkProfile {
  /** In percent of the calls. */
  readonly lostRequestPercent: number;
  readonly lostAnswerPercent: number;
  readonly medianMs: number;
}

export class Network {
  readonly #world: World;
  readonly #random: Random;
  readonly #profile: NetworkProfile;
  readonly #cutOff = new Set<Machine>();
  #isHealed = false;

  constructor(world: World, profile: NetworkProfile) {
    this.#world = world;
    this.#random = world.random.fork();
    this.#profile = profile;
  }

  /** Nobody reaches `machine` any more, nor it anybody. */
  cut(machine: Machine): void {
    this.#cutOff.add(machine);
  }

  reconnect(machine: Machine): void {
    this.#cutOff.delete(machine);
  }

  heal(): void {
    this.#cutOff.clear();
    this.#isHealed = true;
  }

  /**
   * Runs `perform` on `to` for `from`. `perform` gets a signal that is aborted when the caller has given up and the peer
   * has noticed. Rejects with what `perform` throws, and with `NoAnswerError`.
   */
  async call<T>(
    from: Machine,
    to: Machine,
    options: CallOptions,
    perform: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { lostRequestPercent, lostAnswerPercent } = this.#profile;
    const loses = (percent: number): boolean => !this.#isHealed && this.#random.chance(percent);
    const isRequestLost = loses(lostRequestPercent);
    const isAnswerLost = loses(lostAnswerPercent);
    const isConnected = this.#random.chance(60);
    const [requestMs, answerMs] = [this.#delayMs(), this.#delayMs()];
    return new Promise<T>((resolve, reject) => {
      const leaving = new AbortController();
      let isOver = false;
      const end = (run: () => void): void => {
        if (isOver) return;
        isOver = true;
        cancelTimeout();
        options.signal?.removeEventListener('abort', leave);
        run();
      };
      const leave = (): void => {
        end(() => {
          this.#world.schedule(this.#delayMs(), () => to.deliver(() => leaving.abort()));
          reject(new NoAnswerError(`${to.name} did not answer in time`, true));
        });
      };
      const cancelTimeout = from.schedule(options.timeoutMs, leave);
      options.signal?.addEventListener('abort', leave, { once: true });
      if (options.signal?.aborted) leave();
      const unreachable = (): void => {
        // A connection that was there before swallows what is sent; a new one does not come about.
        if (isConnected) return;
        this.#world.schedule(options.connectTimeoutMs, () =>
          from.deliver(() => end(() => reject(new NoAnswerError(`${to.name} cannot be reached`, false)))),
        );
      };
      const answer = (run: () => void): void => {
        if (!to.isAlive || isAnswerLost || !this.#connects(from, to)) return;
        this.#world.schedule(answerMs, () => from.deliver(() => end(run)));
      };
      const gone = (mayHaveArrived: boolean): void => {
        if (isOver) return;
        this.#world.schedule(answerMs, () =>
          from.deliver(() => end(() => reject(new NoAnswerError(`${to.name} is gone`, mayHaveArrived)))),
        );
      };
      this.#world.schedule(requestMs, () => {
        if (isRequestLost || !this.#connects(from, to)) {
          unreachable();
          return;
        }
        if (!to.isAlive) {
          // A connection that was there before may have carried the call out before it broke.
          gone(isConnected);
          return;
        }
        to.onDeath(() => gone(true));
        to.deliver(() => {
          perform(leaving.signal).then(
            (result) => answer(() => resolve(result)),
            (error: unknown) => answer(() => reject(asError(error))),
          );
        });
      });
    });
  }

  #connects(one: Machine, other: Machine): boolean {
    return !this.#cutOff.has(one) && !this.#cutOff.has(other);
  }

  #delayMs(): number {
    return Math.min(200, this.#random.logNormalMs(this.#profile.medianMs, 1.8));
  }
}
