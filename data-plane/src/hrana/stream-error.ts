import { EngineError } from '../engine/adapters/adapter.js';
import { isByocError } from '../errors/catalogue.js';
import { quote } from './encode-value.js';

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

export function encodeStreamError({ message, code, extendedCode }: StreamError): string {
  const extended = extendedCode === undefined ? '' : `,"extended_code":${quote(extendedCode)}`;
  return `{"message":${quote(message)},"code":${quote(code)}${extended}}`;
}
