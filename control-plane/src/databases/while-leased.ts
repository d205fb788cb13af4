import type { Clock } from '../clock.js';

/** Does work and renews what says that somebody does it, every `everyMs`, until the work has ended. */
export async function whileLeased<T>(
  { clock, everyMs, renew }: { readonly clock: Clock; readonly everyMs: number; readonly renew: () => Promise<void> },
  work: () => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  /** False when the work has ended meanwhile. */
  const isDue = async (): Promise<boolean> => {
    await clock.sleep(everyMs, over.signal).catch(() => undefined);
    return !over.signal.aborted;
  };
  const renewing = async (): Promise<void> => {
    // The next one may succeed; whoever finds the lease over takes the work away, which its last step notices.
    while (await isDue()) await renew().catch(() => undefined);
  };
  const renewed = renewing();
  try {
    return await work();
  } finally {
    over.abort();
    await renewed;
  }
}
