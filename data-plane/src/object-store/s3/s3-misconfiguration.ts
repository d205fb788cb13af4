import { endpointFailures } from '../../aws/endpoint-failures.js';
import { explainedFailure } from '../../aws/explained-failure.js';
import type { ByocError, ErrorCode } from '../../errors/catalogue.js';

/**
 * What an error of a store's first request says about its configuration, or undefined when it may be a passing trouble.
 *
 * @param where - The store, as a reader knows it.
 */
export function misconfiguration(where: string, error: unknown): ByocError | undefined {
  return explainedFailure(error, errorCode, (code, why) => sentence(code, where, why));
}

function sentence(code: ErrorCode, where: string, why: string): string {
  switch (code) {
    case 'STORE_BUCKET_MISSING':
      return `the bucket of the store ${where} does not exist`;
    case 'STORE_REGION_WRONG':
      return `the bucket of the store ${where} is in another region, or none was named: ${why}`;
    case 'STORE_ACCESS_DENIED':
      return `the credentials of this process are not allowed to use the store ${where}: ${why}`;
    case 'STORE_CREDENTIALS_MISSING':
      return `no credentials for the store ${where} were found: ${why}`;
    case 'STORE_ENDPOINT_WRONG':
      return `nothing that speaks S3 answers for the store ${where}: ${why}`;
    default:
      return `the store ${where} refuses its configuration: ${why}`;
  }
}

const byName: Readonly<Record<string, ErrorCode>> = {
  NoSuchBucket: 'STORE_BUCKET_MISSING',
  PermanentRedirect: 'STORE_REGION_WRONG',
  AuthorizationHeaderMalformed: 'STORE_REGION_WRONG',
  IllegalLocationConstraintException: 'STORE_REGION_WRONG',
  AccessDenied: 'STORE_ACCESS_DENIED',
  AccessDeniedException: 'STORE_ACCESS_DENIED',
  AllAccessDisabled: 'STORE_ACCESS_DENIED',
  InvalidAccessKeyId: 'STORE_ACCESS_DENIED',
  SignatureDoesNotMatch: 'STORE_ACCESS_DENIED',
  'KMS.AccessDeniedException': 'STORE_ACCESS_DENIED',
  CredentialsProviderError: 'STORE_CREDENTIALS_MISSING',
  'KMS.NotFoundException': 'STORE_MISCONFIGURED',
  'KMS.DisabledException': 'STORE_MISCONFIGURED',
  'KMS.KMSInvalidStateException': 'STORE_MISCONFIGURED',
  KMSDisabledException: 'STORE_MISCONFIGURED',
  InvalidBucketName: 'STORE_MISCONFIGURED',
};

function errorCode(error: Error): ErrorCode | undefined {
  const known = Object.hasOwn(byName, error.name) ? byName[error.name] : undefined;
  if (known) return known;
  if ('code' in error && typeof error.code === 'string' && endpointFailures.has(error.code)) {
    return 'STORE_ENDPOINT_WRONG';
  }
  if (/^region is missing$/i.test(error.message)) return 'STORE_REGION_WRONG';
  const { httpStatusCode: status } = ('$metadata' in error ? error.$metadata : {}) as { httpStatusCode?: number };
  if (status === 301 || status === 307) return 'STORE_REGION_WRONG';
  if (status === 403) return 'STORE_ACCESS_DENIED';
  // An answer that is no S3 answer: some other server stands there.
  return status !== undefined && status < 500 ? 'STORE_ENDPOINT_WRONG' : undefined;
}
