import { isByocError } from '../errors/catalogue.js';

/** A word for an error that may stand in a trace: its code, or what kind of error it is; never its message. */
export function failureOf(error: unknown): string {
  if (isByocError(error)) return error.code;
  return error instanceof Error ? error.name : 'failed';
}
