/** What AWS said to a question, or why it could not be asked. */
export type Answer<T> = { readonly known: true; readonly value: T } | { readonly known: false; readonly why: string };

export function known<T>(value: T): Answer<T> {
  return { known: true, value };
}

/** An answer that lacks a part which it should always have. */
export class IncompleteAnswer extends Error {
  override readonly name = 'IncompleteAnswer';

  constructor() {
    super('a part of the answer is missing');
  }
}

/** Errors that say "you may not look", or nothing at all, by the start of their names. */
const unanswered =
  /^(AccessDenied|UnauthorizedOperation|UnrecognizedClient|InvalidClientTokenId|ExpiredToken|AuthFailure|OptInRequired|SubscriptionRequired|Throttl|RequestLimitExceeded|TooManyRequests|ServiceUnavailable|InternalFailure|InternalError|InternalServerError|TimeoutError|NetworkingError|AbortError|UnknownError|NotImplemented|UnknownOperation|ECONN|ENOTFOUND|EAI_AGAIN|CredentialsProviderError|IncompleteAnswer|403|404|5\d\d)/;

/**
 * Asks. An error that tells something goes to `meaning`, which gives its value, or `undefined` when it means nothing to it; every
 * other error that is no answer makes the answer unknown.
 * @throws whatever else was thrown: a fault of this program, not an answer of AWS.
 */
export async function ask<T, M = never>(
  question: () => Promise<T>,
  meaning: (errorName: string) => M | undefined = () => undefined,
): Promise<Answer<T | M>> {
  try {
    return known(await question());
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const name = errorName(error);
    const value = meaning(name);
    if (value !== undefined) return known(value);
    if (unanswered.test(name) || '$metadata' in error) return { known: false, why: `${name}: ${error.message}` };
    throw error;
  }
}

/** Name of an AWS error, or the code of a failed connection. */
function errorName(error: Error): string {
  const code = (error as { code?: unknown }).code;
  return error.name === 'Error' && typeof code === 'string' ? code : error.name;
}
