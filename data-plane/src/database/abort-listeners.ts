/** What is to be done when a signal is aborted, by signal. */
const listeners = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `run` when `signal` is aborted, until the returned function is called. Many requests of a connection share its
 * signal, one after the other, and a listener of the platform's own costs each of them more than its place in a set.
 */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  let known = listeners.get(signal);
  if (!known) {
    const created = new Set<() => void>();
    listeners.set(signal, created);
    signal.addEventListener('abort', () => {
      for (const listener of created) listener();
    });
    known = created;
  }
  const own = known;
  own.add(run);
  return () => own.delete(run);
}
