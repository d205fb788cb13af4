/**
 * The data plane's error catalogue: every error that a client, an operator or another part of the system can meet
 * has one entry here, with the HTTP status it travels under and the sentence that says what to do about it.
 * `docs/errors.md` is generated from this table.
 */
interface CatalogueEntry {
  /** HTTP status when the error ends a whole request; errors of one statement travel inside a 200 response. */
  readonly status: number;
  /** What the reader can do about it, one sentence. */
  readonly remedy: string;
}

const entry = (status: number, remedy: string): CatalogueEntry => ({ status, remedy });

export const catalogue = {
  // --- the request itself
  MALFORMED_REQUEST: entry(400, 'Send a body in the shape the Hrana specification gives.'),
  REQUEST_TOO_LARGE: entry(413, 'Send a smaller body, or raise the limit of the data node.'),
  ROUTE_NOT_FOUND: entry(404, 'Check the method and path of the request.'),
  METHOD_NOT_ALLOWED: entry(405, 'Check the method of the request.'),
  REQUEST_HEADERS_TOO_LARGE: entry(431, 'Send fewer or shorter headers.'),
  REQUEST_TIMEOUT: entry(408, 'Send the whole request faster, or raise the limit of the data node.'),
  // --- who and where
  AUTH_HTTP_HEADER_MISSING: entry(401, 'Send the header "Authorization: Bearer <database token>".'),
  AUTH_HTTP_HEADER_INVALID: entry(401, 'Send the header "Authorization: Bearer <database token>".'),
  AUTH_JWT_INVALID: entry(401, 'Mint a new token for this database.'),
  AUTH_JWT_EXPIRED: entry(401, 'Mint a new token for this database.'),
  AUTH_KEYS_UNAVAILABLE: entry(
    503,
    'Try again; if it stays, let data nodes fetch the key set (TURSO_BYOC_JWKS_ORIGINS) and see their log; docs/access.md.',
  ),
  AUTH_JWT_REVOKED: entry(401, 'Mint a new token for this database; this one was rotated away or revoked.'),
  AUTH_JWT_IMMATURE: entry(401, 'Wait until the token becomes valid, or check the clock of its issuer.'),
  AUTH_FORBIDDEN: entry(401, 'Use a token that was minted for this database or its group.'),
  ORIGIN_FORBIDDEN: entry(
    403,
    'Connect from an address, or through a VPC endpoint, that the configuration of the database and its group allows; docs/access.md says how a node learns it.',
  ),
  ADMIN_UNAUTHORIZED: entry(401, 'Send the header "Authorization: Bearer <admin credential of the deployment>".'),
  DATABASE_NOT_FOUND: entry(404, 'Check the host name or the /db/<database>-<organization>/ path.'),
  BRANCH_REFUSED: entry(400, 'Branch into the group of the parent; delete branches that nobody needs.'),
  UNDELETE_EXPIRED: entry(410, 'The content is gone; restore it from a backup of the deployment.'),
  REKEY_REFUSED: entry(400, 'Ask for the encryption of the database, and name the data key that is its current one.'),
  REKEY_UNFINISHED: entry(
    503,
    'Run the command again, with the --older-than that it printed, or with more --patience.',
  ),
  SHRED_REFUSED: entry(409, 'Delete the database first; what wraps its data keys is destroyed only then.'),
  DATABASE_HELD: entry(
    409,
    'Ask the operators of the deployment: nothing of the database is destroyed before its legal holds are released (npm run hold).',
  ),
  HOLD_REFUSED: entry(
    409,
    'Hold from a moment that is in the kept history of the database, and release holds that are over.',
  ),
  DATABASE_AWAITS_FILE: entry(
    409,
    'Upload the file that the database was created for, or delete it; docs/upload-and-export.md shows both.',
  ),
  UPLOAD_NOT_AWAITED: entry(
    409,
    'Only a database that was created with a seed of the type "database_upload", and has no file yet, takes one.',
  ),
  UPLOAD_NOT_FOUND: entry(404, 'Begin the upload anew; of two that were begun, the second one counts.'),
  UPLOAD_INCOMPLETE: entry(409, 'Send the chunks that are missing, then finalize again.'),
  UPLOAD_CONFLICT: entry(409, 'Begin the upload anew; one upload has one content.'),
  UPLOAD_CHUNK_INVALID: entry(
    400,
    'Send chunks of the size that the start of the upload answered; only the last is shorter.',
  ),
  UPLOAD_TOO_LARGE: entry(413, 'Make the file smaller, or raise the size limit of databases.'),
  UPLOAD_INVALID: entry(
    400,
    'Upload a SQLite file in WAL mode with pages of 4096 bytes, UTF-8, no auto-vacuum, that passes an integrity check.',
  ),
  REPLICA_UNKNOWN_POSITION: entry(
    409,
    'Delete the local files of the replica, with the one that ends in -info, and let it begin anew.',
  ),
  REPLICA_PUSH_INVALID: entry(400, 'Send whole WAL frames of pages of 4096 bytes, as many as the path says.'),
  REPLICA_PUSH_BROKEN: entry(
    409,
    'Start the client of the replica anew and synchronize; it sends the transaction from its beginning.',
  ),
  REPLICA_PUSH_UNSUPPORTED: entry(400, 'Databases of this engine take no frames; write over HTTP, or use Turso Sync.'),
  DUMP_NOT_FOUND: entry(404, 'Upload the dump again; it is kept for a day, until a database began as it.'),
  CERTIFICATE_NOT_FOUND: entry(404, 'There is one when what wraps the data keys of a deleted database was destroyed.'),
  RESTORE_POINT_NOT_FOUND: entry(400, 'Choose a moment within the kept history of the database.'),
  REVISION_INVALID: entry(400, 'Begin anew without a revision; a revision is of the database that gave it out.'),
  REVISION_EXPIRED: entry(
    410,
    'Begin anew without a revision: the history of the database is kept for a limited time.',
  ),
  DATABASE_EXISTS: entry(409, 'Choose another name, or use the existing database.'),
  DATABASE_ADDRESS_MISSING: entry(
    404,
    'Address a database by host name or by the /db/<database>-<organization>/ path.',
  ),
  INVALID_NAME: entry(400, 'Use lower-case letters, digits and dashes; the whole host label fits 63 characters.'),
  // --- streams
  STREAM_EXPIRED: entry(404, 'Open a new stream: send the request again with "baton": null.'),
  BATON_INVALID: entry(400, 'Send the baton of the latest response of the stream, once.'),
  // --- statements (these travel in-band)
  SQL_PARSE_ERROR: entry(400, 'Correct the SQL text.'),
  SQL_NO_STATEMENT: entry(400, 'Send exactly one SQL statement.'),
  SQL_MANY_STATEMENTS: entry(400, 'Send one statement per request, or use a "sequence".'),
  SQL_INPUT_ERROR: entry(400, 'Correct the SQL text.'),
  SQL_REFUSED: entry(400, 'This statement is not offered on a managed database; see docs/limits.md.'),
  SQL_STORE_TOO_MANY: entry(400, 'Close stored SQL texts of this stream with "close_sql".'),
  SQL_STORE_TOO_LARGE: entry(400, 'Send the SQL text with the statement instead of storing it.'),
  ARGS_INVALID: entry(400, 'Send exactly one argument for each parameter of the statement.'),
  ARGS_BOTH_POSITIONAL_AND_NAMED: entry(400, 'Send either "args" or "named_args".'),
  RESPONSE_TOO_LARGE: entry(400, 'Read in pages, or use /v3/cursor.'),
  SQLITE_AUTH: entry(403, 'Use a token whose permissions cover what the statement does; see docs/access.md.'),
  BLOCKED: entry(403, 'Use a token with write permission, or lift the block in the configuration of the database.'),
  TRANSACTION_TIMEOUT: entry(400, 'Send ROLLBACK, then run a shorter transaction.'),
  TRANSACTION_BUSY: entry(400, 'Another transaction holds the write lock; try again.'),
  TRANSACTION_TOO_LARGE: entry(400, 'Split the transaction into smaller ones.'),
  STATEMENT_TIMEOUT: entry(400, 'The statement ran past its deadline and was stopped; make it cheaper or split it.'),
  MEMORY_EXCEEDED: entry(400, 'The statement took more memory than there is for one; read or make less at a time.'),
  REQUEST_TOO_LONG: entry(400, 'Send fewer statements per request; those that ran are not undone.'),
  // --- the node
  ENGINE_RESTARTED: entry(503, 'The statement did not take effect; send it again.'),
  ENGINE_UNAVAILABLE: entry(501, 'Create the database with engine "libsql"; this platform has no binary of the other.'),
  OUTCOME_UNKNOWN: entry(503, 'The store did not confirm the commit in time; read before you write again.'),
  DATABASE_MOVED: entry(503, 'Another node took the database over; send the request again.'),
  OVERLOADED: entry(503, 'Too many requests wait for this database; slow down and try again.'),
  NOT_READY: entry(503, 'Send requests to another node until this one is ready.'),
  SHUTTING_DOWN: entry(503, 'The node is stopping; send the request again.'),
  LOCAL_DISK_FULL: entry(503, "Free space on the node's cache volume."),
  // --- the store and the keys
  STORE_UNAVAILABLE: entry(503, 'The object store does not answer; check the store and its network path.'),
  STORE_BUCKET_MISSING: entry(
    503,
    'Create the bucket, or correct its name in the store setting; nodes never create one.',
  ),
  STORE_REGION_WRONG: entry(503, 'Name the region of the bucket in the store setting: s3://bucket/prefix?region=...'),
  STORE_ENDPOINT_WRONG: entry(
    503,
    'Correct the endpoint of the store, or open the network path to it, then start again.',
  ),
  STORE_CREDENTIALS_MISSING: entry(503, 'Give the process a role or credentials that the AWS SDK finds.'),
  STORE_ACCESS_DENIED: entry(
    503,
    'Allow s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket (directory bucket: s3express:CreateSession) and the use of its KMS key.',
  ),
  STORE_MISCONFIGURED: entry(503, 'Correct the store setting; docs/object-stores.md explains each part of it.'),
  STORE_INCAPABLE: entry(
    503,
    'Use a store that honours conditional writes: with this one, two nodes could both believe that they own a database.',
  ),
  STORE_OBJECT_MISSING: entry(500, 'An object that the manifest names is gone; restore it from a version or a backup.'),
  STORE_OBJECT_CORRUPT: entry(500, 'An object fails its check; restore it from a version or a backup.'),
  STORE_FORMAT_UNKNOWN: entry(500, 'The object was written by another release; run a release that reads it.'),
  BACKUP_RUNNING: entry(409, 'Wait until the other backup has ended, or has been silent for a minute.'),
  FORMAT_LEVEL_UNKNOWN: entry(
    503,
    'Run a release that reads the present format level of the deployment; it never falls. docs/operations/upgrade.md has more.',
  ),
  FORMAT_LEVEL_REFUSED: entry(
    409,
    'Nothing has changed; docs/operations/upgrade.md says what to do about each reason.',
  ),
  EPOCH_NOT_RECOVERED: entry(
    503,
    'The log of a dead node could not be recovered; see the log of this node for the object.',
  ),
  KEY_UNAVAILABLE: entry(503, 'The key service does not answer; check it and its network path.'),
  KEY_REVOKED: entry(
    403,
    'Enable the key again, cancel its deletion, or allow the node to use it; the database comes back by itself.',
  ),
  KEY_WRONG: entry(400, 'The data key of this database cannot be unwrapped under its identity.'),
  KEY_ID_INVALID: entry(400, "Name a key of the deployment's key service: for KMS an ARN in its region."),
  // --- keys that clients hold
  ENCRYPTION_KEY_REQUIRED: entry(
    400,
    'Send the key of this database in the header "x-turso-encryption-key"; clients call the option remoteEncryptionKey.',
  ),
  ENCRYPTION_KEY_MALFORMED: entry(400, 'Send the bytes of the key in standard base64, with padding.'),
  ENCRYPTION_KEY_LENGTH: entry(400, 'Send the key that the database was created with: 16 or 32 bytes, by its cipher.'),
  ENCRYPTION_KEY_WRONG: entry(403, 'Send the key that the database was created with; nobody else has it.'),
  ENCRYPTION_KEY_UNEXPECTED: entry(
    400,
    'Leave the encryption key out: the key service wraps the data key of this database, no client does.',
  ),
  ENCRYPTION_CIPHER_MISMATCH: entry(400, 'Declare the cipher that the database was created with, or none.'),
  KEY_HELD_BY_CLIENT: entry(409, 'Nothing was done: keys of the key service are not those of this database.'),
  // --- the key service, when a node starts
  KMS_KEY_MISSING: entry(
    503,
    'Create the key, or correct the key-service setting: kms:<key ARN or alias>?region=...; nodes never create one.',
  ),
  KMS_REGION_WRONG: entry(503, 'Name the region of the key in the key-service setting: kms:<key>?region=...'),
  KMS_ENDPOINT_WRONG: entry(
    503,
    'Correct the endpoint of the key service, or open the network path to it, then start again.',
  ),
  KMS_CREDENTIALS_MISSING: entry(503, 'Give the process a role or credentials that the AWS SDK finds.'),
  KMS_ACCESS_DENIED: entry(
    503,
    "Allow kms:GenerateDataKeyWithoutPlaintext, kms:Decrypt, kms:ReEncryptFrom and kms:ReEncryptTo in the role's policy and in the policy of the key.",
  ),
  KMS_MISCONFIGURED: entry(503, 'Name a symmetric encryption key; docs/keys.md explains the setting.'),
  INTERNAL: entry(500, 'Report this with the request id; the node log has the cause.'),
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof catalogue;

/** An error of the catalogue. `message` says what was wrong; the entry of `code` says what to do. */
export class ByocError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ByocError';
    this.code = code;
  }

  get status(): number {
    return catalogue[this.code].status;
  }

  get remedy(): string {
    return catalogue[this.code].remedy;
  }
}

/** Narrows an unknown thrown value to an error of the catalogue with one of the given codes (any code when none is given). */
export function isByocError(value: unknown, ...codes: ErrorCode[]): value is ByocError {
  return value instanceof ByocError && (codes.length === 0 || codes.includes(value.code));
}

/** A thrown value as an error of the catalogue: itself if it is one, else `INTERNAL`. */
export function asByocError(value: unknown): ByocError {
  return value instanceof ByocError ? value : new ByocError('INTERNAL', 'unexpected failure', { cause: value });
}
