import { EngineError } from '../engine/adapters/adapter.js';
import { isByocError } from '../errors/catalogue.js';

/** Engines quote the text they could not read, however long it is. */
const maxMessageCharacters = 1_000;

/** An error of one statement or request, as it travels inside a successful response. */
export interface StreamError {
  readonly message: string;
  readonly code: string;
  readonly extendedCode: string | undefined;
}

/** The in-band form of a statement's error. Rethrows what is not one: then the request as a whole has failed. */
export function toStreamError(error: unknown): StreamError {
  if (error instanceof EngineError) {
    return { message: error.message, code: error.code, extendedCode: error.extendedCode };
  }
  if (isByocError(error)) return { message: error.message, code: error.code, extendedCode: undefined };
  throw error;
}

/** The beginning of a message, whole characters. */
export function shortened(message: string, maxCharacters = maxMessageCharacters): string {
  if (message.length <= maxCharacters) return message;
  // Not in the middle of a surrogate pair.
  return `${message.slice(0, maxCharacters).replace(/[\ud800-\udbff]$/, '')}…`;
}
