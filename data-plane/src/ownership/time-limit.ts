import type { Runtime } from '../runtime.js';

/**
 * What `work` gives, or undefined when it takes longer than `ms`; what it then still does is nobody's concern. Rejects
 * with what `work` rejects with in time.
 */
export async function withTimeLimit<T>(runtime: Runtime, ms: number, work: Promise<T>): Promise<T | undefined> {
  let cancel = (): void => undefined;
  const timeUp = new Promise<undefined>((resolve) => {
    cancel = runtime.schedule(ms, () => resolve(undefined));
  });
  // Whether it fails after it was given up is not asked by anybody.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, timeUp]);
  } finally {
    cancel();
  }
}
