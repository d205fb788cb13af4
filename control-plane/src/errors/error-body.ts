import { withoutTokens } from '@turso-byoc/data-plane/server/without-tokens.js';
import type { ControlPlaneError } from './catalogue.js';

/** The JSON body of a failed request: the CLI and the Platform SDK show `error`, other clients `message` and `code`. */
export interface ErrorBody {
  readonly error: string;
  readonly message: string;
  readonly code: string;
  readonly remedy: string;
}

export function errorBody(error: ControlPlaneError): ErrorBody {
  // Messages name what was not found, as the client named it.
  const message = withoutTokens(error.message);
  return { error: message, message, code: error.code, remedy: error.remedy };
}
