/** Which errors a client may meet while stores and nodes fail, and what each says about the request. */
import { isByocError, type ErrorCode } from '@turso-byoc/data-plane/errors/catalogue.js';
import { NoAnswerError } from '../network/network.js';

/** `failed`: it took no effect and never will. `unknown`: it may have, or still may. */
export type Failure = { readonly kind: 'failed' | 'unknown' | 'missing'; readonly why: string };

/** The catalogue says of each of these that the request can be sent again. */
const withoutEffect: readonly ErrorCode[] = [
  'DATABASE_MOVED',
  'ENGINE_RESTARTED',
  'KEY_UNAVAILABLE',
  'NOT_READY',
  'OVERLOADED',
  'SHUTTING_DOWN',
  'STATEMENT_TIMEOUT',
  'STORE_UNAVAILABLE',
];

/** What an error means, or undefined for one that no client may ever see when nothing was damaged. */
export function failureOf(error: unknown): Failure | undefined {
  if (error instanceof NoAnswerError) {
    return { kind: error.mayHaveArrived ? 'unknown' : 'failed', why: error.message };
  }
  if (!isByocError(error)) return undefined;
  const why = `${error.code}: ${error.message}`;
  if (error.code === 'OUTCOME_UNKNOWN') return { kind: 'unknown', why };
  if (error.code === 'DATABASE_NOT_FOUND') return { kind: 'missing', why };
  return withoutEffect.includes(error.code) ? { kind: 'failed', why } : undefined;
}

/** Codes that a node must not report either: something was lost, damaged or taken for something else. */
const alarming: readonly ErrorCode[] = [
  'INTERNAL',
  'EPOCH_NOT_RECOVERED',
  'KEY_WRONG',
  'STORE_FORMAT_UNKNOWN',
  'STORE_OBJECT_CORRUPT',
  'STORE_OBJECT_MISSING',
];

export function isAlarming(event: string, fields: Readonly<Record<string, unknown>>): boolean {
  // Reported without a code; a store that does not answer is the one good reason.
  if (event === 'a node epoch could not be recovered')
    return !/could not be (read|written)|two zones must say/.test(String(fields['error']));
  return alarming.includes(fields['code'] as ErrorCode);
}
