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
  INVALID_CURSOR: entry(400, 'Pass the "next" value of the previous page as "cursor".'),
  OPTION_NOT_OFFERED: entry(400, 'Leave the option out of the request.'),
  NOT_OFFERED: entry(501, 'This call of the Platform API is not offered by this release.'),
  // --- who
  AUTH_TOKEN_MISSING: entry(401, 'Send the header "Authorization: Bearer <platform token>".'),
  AUTH_TOKEN_INVALID: entry(401, 'Use a platform token of this deployment; database tokens open databases only.'),
  AUTH_TOKEN_EXPIRED: entry(401, 'Mint a new platform token.'),
  AUTH_TOKEN_REVOKED: entry(401, 'Mint a new platform token.'),
  // --- what
  ORGANIZATION_NOT_FOUND: entry(404, 'Use an organization that GET /v1/organizations lists.'),
  GROUP_NOT_FOUND: entry(404, 'Use a group that GET /v1/groups lists.'),
  GROUP_UNKNOWN: entry(400, 'Create the group first, or name one that GET /v1/groups lists.'),
  GROUP_EXISTS: entry(409, 'Choose another name, or use the existing group.'),
  DATABASE_NOT_FOUND: entry(404, 'Use a database that GET /v1/databases lists.'),
  DATABASE_EXISTS: entry(409, 'Choose another name, or use the existing database.'),
  SEED_INVALID: entry(400, 'Name an existing database and, if one is wanted, a time in its kept history.'),
  ENCRYPTION_INVALID: entry(
    400,
    'Send "encryption_key" in base64 with the "encryption_cipher" that it is for; with a branch, the key of its parent.',
  ),
  DELETED_DATABASE_NOT_FOUND: entry(
    404,
    'Use a database that GET /v1/organizations/{organization}/deleted-databases lists.',
  ),
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
  CONTROL_STORE_CONTENDED: entry(500, 'Too many processes publish keys at once; start the control plane again.'),
  CONTROL_STORE_CORRUPT: entry(500, 'Restore the object from a version or a backup.'),
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
