import { endpointFailures } from '../../aws/endpoint-failures.js';
import { explainedFailure } from '../../aws/explained-failure.js';
import type { ByocError, ErrorCode } from '../../errors/catalogue.js';

/**
 * What an error of the first requests to KMS says about the configuration, or undefined when it may be a passing trouble.
 *
 * @param where - The key service, as a reader knows it.
 */
export function kmsMisconfiguration(where: string, error: unknown): ByocError | undefined {
  return explainedFailure(error, errorCode, (code, why) => sentence(code, where, why));
}

function sentence(code: ErrorCode, where: string, why: string): string {
  switch (code) {
    case 'KMS_KEY_MISSING':
      return `there is no key ${where} in its region and account: ${why}`;
    case 'KMS_REGION_WRONG':
      return `no region is named for the key ${where}: ${why}`;
    case 'KMS_ACCESS_DENIED':
      return `the credentials of this process are not allowed to use the key ${where}: ${why}`;
    case 'KMS_CREDENTIALS_MISSING':
      return `no credentials for the key ${where} were found: ${why}`;
    case 'KMS_ENDPOINT_WRONG':
      return `nothing that speaks KMS answers for the key ${where}: ${why}`;
    case 'KEY_REVOKED':
      return `the key ${where} is disabled or scheduled for deletion: ${why}`;
    default:
      return `the key ${where} cannot wrap data keys: ${why}`;
  }
}

const byName: Readonly<Record<string, ErrorCode>> = {
  NotFoundException: 'KMS_KEY_MISSING',
  AccessDeniedException: 'KMS_ACCESS_DENIED',
  UnrecognizedClientException: 'KMS_ACCESS_DENIED',
  InvalidClientTokenId: 'KMS_ACCESS_DENIED',
  InvalidSignatureException: 'KMS_ACCESS_DENIED',
  SignatureDoesNotMatch: 'KMS_ACCESS_DENIED',
  IncompleteSignature: 'KMS_ACCESS_DENIED',
  MissingAuthenticationTokenException: 'KMS_ACCESS_DENIED',
  OptInRequired: 'KMS_ACCESS_DENIED',
  CredentialsProviderError: 'KMS_CREDENTIALS_MISSING',
  DisabledException: 'KEY_REVOKED',
  KMSInvalidStateException: 'KEY_REVOKED',
  InvalidArnException: 'KMS_MISCONFIGURED',
  InvalidKeyUsageException: 'KMS_MISCONFIGURED',
  UnsupportedOperationException: 'KMS_MISCONFIGURED',
  ValidationException: 'KMS_MISCONFIGURED',
};

/** Errors of KMS itself that pass although their status is below 500. */
const passing = new Set(['ThrottlingException', 'LimitExceededException', 'ExpiredTokenException', 'RequestExpired']);

function errorCode(error: Error): ErrorCode | undefined {
  const known = Object.hasOwn(byName, error.name) ? byName[error.name] : undefined;
  if (known) return known;
  if ('code' in error && typeof error.code === 'string' && endpointFailures.has(error.code))
    return 'KMS_ENDPOINT_WRONG';
  if (/^region (?:is missing|not accepted)/i.test(error.message)) return 'KMS_REGION_WRONG';
  const { httpStatusCode: status } = ('$metadata' in error ? error.$metadata : {}) as { httpStatusCode?: number };
  if (status === undefined || status >= 500 || status === 429 || passing.has(error.name)) return undefined;
  // An answer that is none of KMS: some other server stands there.
  return 'KMS_ENDPOINT_WRONG';
}
