import { types } from 'node:util';
import { ByocError, type ErrorCode } from '../errors/catalogue.js';

/**
 * Follows the causes of an error to the first that has a code in the catalogue; undefined when none has. `sentence` says
 * what it means, given what the service said of it, in one line.
 */
export function explainedFailure(
  error: unknown,
  codeOf: (at: Error) => ErrorCode | undefined,
  sentence: (code: ErrorCode, why: string) => string,
): ByocError | undefined {
  for (let at = error; types.isNativeError(at); at = at.cause) {
    const code = codeOf(at);
    if (code)
      return new ByocError(code, sentence(code, at.message.replace(/\s+/g, ' ').slice(0, 300)), { cause: error });
  }
  return undefined;
}
