/**
 * The services without which a node can serve nobody, and whether they answer it: the log, in one store or in three zones of
 * which two are enough, and the key service. The data store is not here: the lease hangs on it (`OwnRecord`).
 */
import { KeyRefusedError, type KeyUse } from '../keys/key-service.js';
import type { OpenedKeyService } from '../keys/open-key-service.js';
import type { StoreRequest } from '../metering/counting-object-store.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { Reachability } from '../reachability.js';
import type { Runtime } from '../runtime.js';
import { deploymentRecordName } from '../storage/object-names.js';

/** As often as the key of an open database is probed; each question is a request that costs, and a line in the evidence. */
const keyAnswerCountsMs = 30_000;

export class Dependencies {
  readonly #runtime: Runtime;
  readonly #neededLogs: number;
  readonly #logs = new Map<string, Reachability>();
  #keys: Reachability | undefined;

  /** @param logStores - One, or three: then two are needed. */
  constructor(runtime: Runtime, logStores: number) {
    this.#runtime = runtime;
    this.#neededLogs = Math.ceil((logStores + 1) / 2);
  }

  /** A log store was opened. */
  watchLog(name: string, store: ObjectStore): void {
    const ask = async (): Promise<void> => {
      await store.get(deploymentRecordName);
    };
    this.#logs.set(name, new Reachability({ runtime: this.#runtime, ask }));
  }

  /** The key service was opened, and has answered. */
  watchKeys(keys: OpenedKeyService, deployment: string): void {
    const ask = async (): Promise<void> => {
      try {
        await keys.ask(deployment);
      } catch (error) {
        // It says no: others of its keys may be fine, and this one's databases are told so.
        if (!(error instanceof KeyRefusedError)) throw error;
      }
    };
    this.#keys = new Reachability({ runtime: this.#runtime, ask, freshMs: keyAnswerCountsMs });
  }

  readonly onLogRequest = (name: string, { outcome }: StoreRequest): void =>
    this.#logs.get(name)?.note(outcome === 'ok' || outcome === 'absent' || outcome === 'lost');

  readonly onKeyUse = ({ outcome }: KeyUse): void => this.#keys?.note(outcome !== 'unavailable');

  /** Which of them does not answer, in words that follow "because"; undefined when all that is needed does. */
  silent(): string | undefined {
    const answering = [...this.#logs.values()].filter((log) => log.isReached()).length;
    const keysAnswer = this.#keys?.isReached() ?? true;
    if (answering < this.#neededLogs) return 'the log store does not answer it';
    return keysAnswer ? undefined : 'the key service does not answer it';
  }
}
