import { ByocError } from '../../errors/catalogue.js';
import { OutcomeUnknownError, StoreUnavailableError } from '../../object-store/object-store.js';
import type { Runtime } from '../../runtime.js';
import { backoffMs, requestRetries } from '../conditional-write.js';
import type { LogZone } from './log-zone.js';

export interface ZoneAnswers<T> {
  readonly answers: ReadonlyMap<LogZone, T>;
  /** Why the other zones gave none; those that were still being asked when it was enough are missing. */
  readonly errors: ReadonlyMap<LogZone, Error>;
}

/** How long the last answer is waited for when those before would do, but are not the best there may be. */
const graceMs = 100;

/**
 * Asks every zone, each again while it fails in a way that may pass, until the answers are enough or every zone has given
 * its last. An error of the catalogue counts as the failure of that zone; any other error is thrown.
 *
 * @param judge - `enough`, `usable` (enough after a short wait for more), or `too-few`.
 */
export async function askZones<T>(
  runtime: Runtime,
  zones: readonly LogZone[],
  ask: (zone: LogZone) => Promise<T>,
  judge: (answers: ReadonlyMap<LogZone, T>) => 'enough' | 'usable' | 'too-few',
): Promise<ZoneAnswers<T>> {
  const answers = new Map<LogZone, T>();
  const errors = new Map<LogZone, Error>();
  let isOver = false;
  const hasEnded = (): boolean => isOver;
  let cancelGrace: (() => void) | undefined;
  return new Promise((resolve, reject) => {
    const end = (): void => {
      isOver = true;
      cancelGrace?.();
      resolve({ answers, errors });
    };
    const settled = (): void => {
      if (hasEnded()) return;
      const verdict = judge(answers);
      if (verdict === 'enough' || answers.size + errors.size === zones.length) end();
      else if (verdict === 'usable') cancelGrace ??= runtime.schedule(graceMs, end);
    };
    const run = async (zone: LogZone): Promise<void> => {
      let lastError = new Error('not asked');
      for (let attempt = 0; attempt < requestRetries.attempts; attempt++) {
        if (attempt > 0) await runtime.sleep(backoffMs(runtime, requestRetries, attempt));
        if (hasEnded()) return;
        try {
          const answer = await zone.observe(async () => ask(zone));
          if (!hasEnded()) answers.set(zone, answer);
          return;
        } catch (error) {
          const mayPass = error instanceof StoreUnavailableError || error instanceof OutcomeUnknownError;
          if (!mayPass && !(error instanceof ByocError)) throw error;
          lastError = error;
          if (!mayPass) break;
        }
      }
      if (!hasEnded()) errors.set(zone, lastError);
    };
    for (const zone of zones) run(zone).then(settled, reject);
  });
}
