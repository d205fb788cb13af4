import type { ControlPlaneError } from './catalogue.js';

/** The JSON body of a failed request: the CLI and the Platform SDK show `error`, other clients `message` and `code`. */
export interface ErrorBody {
  readonly error: string;
  readonly message: string;
  readonly code: string;
  readonly remedy: string;
}

export function errorBody(error: ControlPlaneError): ErrorBody {
  return { error: error.message, message: error.message, code: error.code, remedy: error.remedy };
}
