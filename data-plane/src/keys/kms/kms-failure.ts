/**
 * What a failed request to KMS says about the key: refused, not fitting, or nothing at all. Revocation hangs on it: a
 * refusal closes databases, and whatever is not certainly one must not. So only the errors that KMS documents for keys that
 * may not be used count as refusals; throttling, credentials of the process and anything unknown say nothing.
 */
import { types } from 'node:util';
import { KeyMismatchError, KeyRefusedError, KeyServiceUnavailableError, type RefusalReason } from '../key-service.js';

export type KmsFailure = KeyRefusedError | KeyMismatchError | KeyServiceUnavailableError;

const refusals: Readonly<Record<string, RefusalReason>> = {
  AccessDeniedException: 'denied',
  DisabledException: 'disabled',
  KMSInvalidStateException: 'unusable',
  NotFoundException: 'unknown',
  InvalidArnException: 'unknown',
  InvalidGrantTokenException: 'denied',
  InvalidKeyUsageException: 'unusable',
  UnsupportedOperationException: 'unusable',
};

const mismatches = new Set(['InvalidCiphertextException', 'IncorrectKeyException']);

/** Refusals of the request, not of the key, that the same request may not meet again. */
const transientRefusals = new Set([
  'ThrottlingException',
  'Throttling',
  'TooManyRequestsException',
  'LimitExceededException',
  'RequestLimitExceeded',
  'ExpiredTokenException',
  'RequestExpired',
]);

/** The error of a failed request; `what` was being done. The message names the key, never data. */
export function kmsFailure(what: string, cause: unknown): KmsFailure {
  const name = types.isNativeError(cause) ? cause.name : '';
  const message = `${what}: ${describe(cause)}`;
  const reason = Object.hasOwn(refusals, name) ? refusals[name] : undefined;
  if (reason !== undefined) {
    const isScheduled = name === 'KMSInvalidStateException' && /pending deletion/i.test((cause as Error).message);
    return new KeyRefusedError(message, isScheduled ? 'pending-deletion' : reason, { cause });
  }
  if (mismatches.has(name)) return new KeyMismatchError(message, { cause });
  // An empty or oversized wrapped key does not pass the service's check of parameters: it is none that it made.
  if (name === 'ValidationException' && /ciphertextBlob/i.test((cause as Error).message)) {
    return new KeyMismatchError(message, { cause });
  }
  return new KeyServiceUnavailableError(message, { cause });
}

/** Whether the same request can go better the next time. */
export function isTransient(cause: unknown): boolean {
  const { httpStatusCode: status } = metadataOf(cause);
  if (status === undefined) return !(types.isNativeError(cause) && cause.name === 'CredentialsProviderError');
  return status >= 500 || status === 429 || (types.isNativeError(cause) && transientRefusals.has(cause.name));
}

/** The name that KMS gave to the request, if an answer came. */
export function requestIdOf(cause: unknown): string | undefined {
  return metadataOf(cause).requestId;
}

interface Metadata {
  readonly httpStatusCode?: number;
  readonly requestId?: string;
}

function metadataOf(cause: unknown): Metadata {
  return types.isNativeError(cause) && '$metadata' in cause ? (cause.$metadata as Metadata) : {};
}

function describe(cause: unknown): string {
  if (!types.isNativeError(cause)) return String(cause);
  const { httpStatusCode } = metadataOf(cause);
  const text = httpStatusCode === undefined ? cause.message : `${httpStatusCode} ${cause.name} ${cause.message}`;
  return text.replace(/\s+/g, ' ').trim().slice(0, 500);
}
