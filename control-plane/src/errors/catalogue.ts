/**
 * The control plane's error catalogue: every error that a client or an operator of the control plane can meet has one
 * entry here, with the HTTP status it travels under and the sentence that says what to do about it. Status 403 is never
 * used: the `turso` CLI takes it for "not a member" and forgets its organization.
 */
interface CatalogueEntry {
  /** HTTP status when the error ends a request; errors that only an operator meets, on a terminal, have 500. */
  readonly status: number;
  /** What the reader can do about it, one sentence. */
  readonly remedy: string;
}

const entry = (status: number, remedy: string): CatalogueEntry => ({ status, remedy });

export const catalogue = {
  // --- the request itself
  MALFORMED_REQUEST: entry(400, 'Send the parameters that the Platform API documents for this call.'),
  REQUEST_TOO_LARGE: entry(413, 'Send a smaller body.'),
  ROUTE_NOT_FOUND: entry(404, 'Check the method and path of the request.'),
  INVALID_NAME: entry(400, 'Use lower-case letters, digits and dashes.'),
  INVALID_EXPIRATION: entry(400, 'Use "never" or a duration such as 7d, 12h30m or 2w.'),
  INVALID_LOCATION: entry(400, 'Use a location that GET /v1/locations lists.'),
  PERIOD_INVALID: entry(400, 'Use times such as 2026-01-31T12:00:00Z.'),
  INVALID_CURSOR: entry(400, 'Pass the "next" value of the previous page as "cursor".'),
  OPTION_NOT_OFFERED: entry(400, 'Leave the option out of the request.'),
  NOT_OFFERED: entry(501, 'This call of the Platform API is not offered by this release.'),
  // --- who
  AUTH_TOKEN_MISSING: entry(401, 'Send the header "Authorization: Bearer <platform token>".'),
  AUTH_TOKEN_INVALID: entry(401, 'Use a platform token of this deployment; database tokens open databases only.'),
  AUTH_TOKEN_EXPIRED: entry(401, 'Mint a new platform token.'),
  AUTH_TOKEN_REVOKED: entry(401, 'Mint a new platform token.'),
  PERMISSION_DENIED: entry(400, 'Ask an admin of the organization for the role, or use a token with the scope.'),
  OPERATOR_ONLY: entry(400, 'Only operators of the deployment may do this; use the token of one.'),
  USER_TOKEN_NEEDED: entry(400, 'Use a token that is not restricted to an organization or a group.'),
  BOOTSTRAP_REFUSED: entry(401, 'Use the bootstrap token of the deployment, once, before there is an administrator.'),
  PERMISSIONS_INVALID: entry(
    400,
    'Give entries {"t": [tables] or null, "a": [actions]} with the actions that docs/access.md names.',
  ),
  SCOPES_INVALID: entry(400, 'Name an organization, a group of it, and the scopes the token is to have.'),
  SIGN_IN_NOT_SET_UP: entry(404, 'Ask the operator to set up sign-in, or use a platform token (TURSO_API_TOKEN).'),
  SIGN_IN_FAILED: entry(401, 'Begin the sign-in again; if that does not help, ask the operator.'),
  // --- limits
  QUOTA_EXCEEDED: entry(402, 'Delete what is not needed, or ask the operator for a higher limit.'),
  RATE_LIMITED: entry(429, 'Send fewer requests; the header "Retry-After" says when the next one is welcome.'),
  LIMIT_INVALID: entry(400, 'Use a scope, a subject and limits that docs/platform-api.md describes.'),
  // --- what
  ORGANIZATION_NOT_FOUND: entry(404, 'Use an organization that GET /v1/organizations lists.'),
  ORGANIZATION_EXISTS: entry(409, 'Choose another name, or use the existing organization.'),
  ORGANIZATION_NOT_EMPTY: entry(400, 'Delete the groups of the organization first.'),
  USER_NOT_FOUND: entry(404, 'Use the name of a user; people get one when they sign in or an operator adds them.'),
  USER_EXISTS: entry(409, 'Choose another name, or use the existing user.'),
  MEMBER_EXISTS: entry(409, 'Change the role of the member instead.'),
  ROLE_INVALID: entry(400, 'Use admin, member or viewer.'),
  LAST_OWNER: entry(400, 'Every organization keeps at least one owner.'),
  INVITE_NOT_FOUND: entry(404, 'Use an invite that GET /v2/organizations/{organization}/invites lists.'),
  DELETE_PROTECTED: entry(400, 'Switch delete_protection off in the configuration first.'),
  DATABASE_HELD: entry(
    409,
    'Ask the operators of the deployment: nothing of the database is destroyed before its legal holds are released.',
  ),
  OPERATION_NOT_FOUND: entry(404, 'Use an operation that GET /v1/groups/{group}/operations lists.'),
  OPERATION_STATE: entry(
    400,
    'Read the operation; only one that is stopped can be resumed, only one that runs stopped.',
  ),
  TOKEN_NOT_FOUND: entry(404, 'Use a token that GET …/auth/tokens lists.'),
  GROUP_NOT_FOUND: entry(404, 'Use a group that GET /v1/groups lists.'),
  GROUP_UNKNOWN: entry(400, 'Create the group first, or name one that GET /v1/groups lists.'),
  GROUP_EXISTS: entry(409, 'Choose another name, or use the existing group.'),
  DATABASE_NOT_FOUND: entry(404, 'Use a database that GET /v1/databases lists.'),
  DATABASE_EXISTS: entry(409, 'Choose another name, or use the existing database.'),
  JWKS_INVALID: entry(400, 'Give a name, and the https URL of a JSON Web Key Set.'),
  JWKS_NOT_FOUND: entry(404, 'Check the name of the key set.'),
  SIZE_INVALID: entry(400, 'Give a number of bytes, or one with a unit, such as "256mb" or "10gb"; "" ends the limit.'),
  ALLOW_LIST_INVALID: entry(
    400,
    'List IPv4 or IPv6 addresses or CIDR blocks in "allowed_ips", ids of VPC endpoints (vpce-…) in "allowed_aws_vpc_ids".',
  ),
  SEED_INVALID: entry(400, 'Name an existing database and, if one is wanted, a time in its kept history.'),
  DUMP_REFUSED: entry(
    400,
    'Correct the dump for the reason given, and upload it again; see docs/upload-and-export.md.',
  ),
  ENCRYPTION_INVALID: entry(
    400,
    'Send "encryption_key" in base64 with the "encryption_cipher" that it is for; with a branch, the key of its parent.',
  ),
  DELETED_DATABASE_NOT_FOUND: entry(
    404,
    'Use a database that GET /v1/organizations/{organization}/deleted-databases lists.',
  ),
  CERTIFICATE_NOT_FOUND: entry(404, 'There is one when the data keys of a deleted database were destroyed.'),
  UNDELETE_EXPIRED: entry(410, 'The content is gone; restore it from a backup of the deployment.'),
  DATABASE_REFUSED: entry(400, 'The data plane refused the database for the reason given; change the request.'),
  MEMBER_NOT_FOUND: entry(404, 'Use a member that GET /v1/organizations/{organization}/members lists.'),
  INSTANCE_NOT_FOUND: entry(404, 'A database has one instance, named after its region.'),
  API_TOKEN_NOT_FOUND: entry(404, 'Use a token that GET /v1/auth/api-tokens lists.'),
  API_TOKEN_EXISTS: entry(409, 'Choose another name, or revoke the existing token first.'),
  // --- the parts behind the control plane
  DATA_PLANE_UNAVAILABLE: entry(503, 'The data plane does not answer; send the request again in a moment.'),
  DATA_PLANE_REFUSED: entry(500, 'The data plane refused a call of the control plane; its log has the cause.'),
  CATALOG_TOO_NEW: entry(500, 'A newer release has upgraded the catalog; run that release or a later one.'),
  REVOCATIONS_FULL: entry(400, 'Too many tokens are revoked one by one; rotate the database or the group instead.'),
  CONTROL_STORE_CONTENDED: entry(500, 'Too many processes publish keys at once; start the control plane again.'),
  CONTROL_STORE_CORRUPT: entry(500, 'Restore the object from a version or a backup.'),
  AUDIT_DAMAGED: entry(500, 'Keep the object; compare it with a version or a copy, and find out who changed it.'),
  INTERNAL: entry(500, "Report this with the request id; the control plane's log has the cause."),
  // --- starting
  SETTING_INVALID: entry(500, 'Correct the environment variable that the message names.'),
  SIGNING_KEY_INVALID: entry(500, 'Provide an Ed25519 private key as a JWK or as PKCS#8 PEM.'),
  DATA_DIRECTORY_IN_USE: entry(500, 'Stop the other process, or choose another directory with TURSO_BYOC_DATA_DIR.'),
  CHILD_NOT_STARTED: entry(500, 'Read the log file that the message names.'),
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof catalogue;

/** An error of the control plane's catalogue. `message` says what was wrong; the entry of `code` says what to do. */
export class ControlPlaneError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ControlPlaneError';
    this.code = code;
  }

  get status(): number {
    return catalogue[this.code].status;
  }

  get remedy(): string {
    return catalogue[this.code].remedy;
  }
}

/** Narrows an unknown thrown value to an error of this catalogue with one of the given codes (any code when none is given). */
export function isControlPlaneError(value: unknown, ...codes: ErrorCode[]): value is ControlPlaneError {
  return value instanceof ControlPlaneError && (codes.length === 0 || codes.includes(value.code));
}
