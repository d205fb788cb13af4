import type { ByocError } from './catalogue.js';

/**
 * The JSON body of a failed request. Official clients disagree on the key they show, so all of them are sent:
 * `error` (Platform SDK, CLI, Go), `message` and `code` (libSQL JavaScript clients, serverless driver).
 */
export interface ErrorBody {
  readonly error: string;
  readonly message: string;
  readonly code: string;
  readonly remedy: string;
}

export function errorBody(error: ByocError): ErrorBody {
  return { error: error.message, message: error.message, code: error.code, remedy: error.remedy };
}
