import { KeyMismatchError, KeyRefusedError, type KeyUse, type OnKeyUse } from './key-service.js';

/** Called with the key service's name of a request as soon as it is known; of several attempts the last one counts. */
export type Answered = (requestId: string | undefined) => void;

/** Runs one use of a key and tells `onUse` how it ended, whichever way that was. */
export async function observedUse<T>(
  onUse: OnKeyUse | undefined,
  use: Pick<KeyUse, 'operation' | 'keyId' | 'database'>,
  run: (answered: Answered) => Promise<T>,
): Promise<T> {
  let requestId: string | undefined;
  const startedMs = performance.now();
  const tell = (outcome: KeyUse['outcome']): void =>
    onUse?.({
      ...use,
      outcome,
      durationMs: performance.now() - startedMs,
      ...(requestId !== undefined && { requestId }),
    });
  try {
    const result = await run((answered) => (requestId = answered));
    tell('done');
    return result;
  } catch (error) {
    tell(outcomeOf(error));
    throw error;
  }
}

function outcomeOf(error: unknown): KeyUse['outcome'] {
  if (error instanceof KeyRefusedError) return 'refused';
  return error instanceof KeyMismatchError ? 'mismatch' : 'unavailable';
}
