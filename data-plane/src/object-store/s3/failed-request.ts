import { types } from 'node:util';

/**
 * A request to S3 that gave no good answer, and the one question that a writer has then: can it have taken effect?
 *
 * - Nothing was sent (no connection, no credentials, no session): it cannot.
 * - An answer 3xx or 4xx is a refusal: it cannot. 408 is none, because proxies give it when they lose the service.
 * - Anything else, 503 SlowDown included: it can. S3 promises for no 5xx that the request had no effect, and taking
 *   one for certain would save a single read at a time when the store is in trouble anyway.
 */
export class FailedRequest extends Error {
  override readonly name = 'FailedRequest';
  /** S3's own name of the error, for example `NoSuchKey`; undefined when no answer came. */
  readonly code: string | undefined;
  /** HTTP status; undefined when no answer came. */
  readonly status: number | undefined;
  readonly mayHaveTakenEffect: boolean;

  constructor(what: string, cause: unknown, wasSent: boolean) {
    const answer = answerOf(cause);
    super(`${what}: ${describe(cause, answer)}`, { cause });
    this.code = answer?.code;
    this.status = answer?.status;
    this.mayHaveTakenEffect = answer ? !isRefusal(answer) : wasSent;
  }

  /** Whether the same request, if it changes nothing, can go better the next time. */
  get isTransient(): boolean {
    if (this.status === undefined || this.status >= 500 || this.status === 408 || this.status === 429) {
      return this.code !== 'NotImplemented';
    }
    return this.code !== undefined && transientRefusals.has(this.code);
  }
}

/** Refusals that a new session, fresh credentials, a corrected clock or a whole body cure. */
const transientRefusals = new Set([
  'BadDigest',
  'ExpiredToken',
  'InvalidToken',
  'RequestTimeout',
  'RequestTimeTooSkewed',
  'SlowDown',
  'TokenRefreshRequired',
  'XAmzContentSHA256Mismatch',
]);

/** Refusals that mean that the session of a directory bucket is of no use any more. */
export const staleSessionCodes: ReadonlySet<string> = new Set([
  'ExpiredToken',
  'InvalidToken',
  'InvalidAccessKeyId',
  'TokenRefreshRequired',
]);

interface Answer {
  readonly status: number;
  readonly code: string | undefined;
}

function isRefusal({ status, code }: Answer): boolean {
  return (status >= 300 && status < 500 && status !== 408) || code === 'NotImplemented';
}

/** Status and code of the service's answer that an error of the SDK stands for. */
function answerOf(error: unknown): Answer | undefined {
  if (!types.isNativeError(error) || !('$metadata' in error)) return undefined;
  const { httpStatusCode: status } = error.$metadata as { httpStatusCode?: number };
  if (status === undefined) return undefined;
  const code = error.name;
  return { status, code: status < 300 || placeholderNames.has(code) ? undefined : code };
}

/** What the SDK calls errors whose answer named no code. */
const placeholderNames = new Set(['Error', 'Unknown', 'UnknownError', 'SyntaxError', 'TypeError']);

function describe(cause: unknown, answer: Answer | undefined): string {
  const message = types.isNativeError(cause) ? cause.message : String(cause);
  return answer ? `${answer.status} ${answer.code ?? ''} ${message}`.replace(/\s+/g, ' ').trim() : message;
}

/** Whether an error of the network says that no connection was made, so that nothing can have been sent. */
export function isConnectError(error: unknown): boolean {
  if (!types.isNativeError(error)) return false;
  if ('errors' in error && Array.isArray(error.errors))
    return error.errors.length > 0 && error.errors.every(isConnectError);
  return 'syscall' in error && (error.syscall === 'connect' || error.syscall === 'getaddrinfo');
}
