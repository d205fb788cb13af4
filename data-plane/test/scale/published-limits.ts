/** Limits that AWS publishes (S3 and KMS user guides, November 2026), and limits of the product. */

/** Of one partition of a bucket's names; S3 splits partitions by itself while a load lasts, which takes minutes. */
export const standardPrefix = { writesPerSecond: 3_500, readsPerSecond: 5_500 } as const;
/** Of one directory bucket (S3 Express). */
export const expressBucket = { writesPerSecond: 200_000, readsPerSecond: 2_000_000 } as const;
/** Cryptographic operations with symmetric keys in the regions that allow the fewest; it can be raised. */
export const kmsRequestsPerSecond = 5_500;
/** Names that one answer to a listing holds. */
export const namesPerListing = 1_000;
/** Default of `TURSO_BYOC_MAX_OPEN_DATABASES`. */
export const openDatabasesPerNode = 2_000;
export const secondsPerMonth = 730 * 3_600;
