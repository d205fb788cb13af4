/**
 * What the control plane tells data nodes of single databases and groups: that tokens were rotated or revoked, that reads
 * or writes are blocked. Both planes use this file; the formats are theirs alone.
 *
 * Two kinds of object lie in the control store. The index, one small signed object that nodes poll, names for each of 256
 * shards the digest of its content; a shard's object is named by that digest, never changes, and is read only when the
 * index names a new one. So polling costs one read however many rules there are, and what is believed was signed.
 */
import { createHash } from 'node:crypto';
import { ByocError } from '../errors/catalogue.js';
import { faultOfAddresses, faultOfVpcEndpoints } from './client-origin.js';

/** The index is a compact JWS (EdDSA by a published key) of `AccessRulesIndex`. It changes only by If-Match. */
export const accessRulesIndexObject = 'access-rules/index';
export const accessRulesIndexType = 'turso-byoc/access-rules+jwt';

export interface AccessRulesIndex {
  readonly format: 'turso-byoc/access-rules/1';
  /** Strictly increasing. */
  readonly version: number;
  /** SHA-256 (hex) of each shard's object, by shard; a shard without rules is not named. */
  readonly shards: Readonly<Record<string, string>>;
}

/** A key set outside the deployment, whose tokens open databases of a group as their claims say. */
export interface RegisteredIssuer {
  /** Of the JSON Web Key Set. */
  readonly url: string;
  /** What the claim `iss` has to be. @default anything */
  readonly issuer?: string;
  /** What the claim `aud` has to have. @default anything */
  readonly audience?: string;
}

/** Rules of one database or group. What is absent is not ruled. */
export interface SubjectRules {
  /** Tokens of an earlier generation have been rotated away. */
  readonly generation?: number;
  /** Ids (`jti`) of single tokens that were revoked. */
  readonly revoked?: readonly string[];
  readonly blockReads?: true;
  readonly blockWrites?: true;
  /** Bytes that a database may grow to. */
  readonly maxBytes?: number;
  /** Addresses and CIDR blocks that requests may come from. Absent: any. */
  readonly allowedIps?: readonly string[];
  /** VPC endpoints that requests may come through. Absent: any. Where both lists are there, both hold. */
  readonly allowedVpcEndpoints?: readonly string[];
  /** Of a group. */
  readonly issuers?: readonly RegisteredIssuer[];
}

export interface AccessRulesShard {
  readonly format: 'turso-byoc/access-rules-shard/1';
  readonly subjects: Readonly<Record<string, SubjectRules>>;
}

/** Bounds of what is written and read. */
export const maxIndexBytes = 64 * 1024;
export const maxShardBytes = 4 * 1024 * 1024;
/** Single tokens of one database or group that can be revoked; beyond that it is rotated. */
export const maxRevokedPerSubject = 1_000;

/** The shard of a database's or group's uuid: its first byte, in hex. */
export function shardOf(uuid: string): string {
  return uuid.slice(0, 2);
}

/** Where a shard with this content lies. */
export function accessRulesShardObject(shard: string, digest: string): string {
  return `access-rules/${shard}/${digest}`;
}

/** The bytes of a shard and their digest. */
export function encodeShard(subjects: AccessRulesShard['subjects']): {
  readonly body: Buffer;
  readonly digest: string;
} {
  const shard: AccessRulesShard = { format: 'turso-byoc/access-rules-shard/1', subjects };
  const body = Buffer.from(JSON.stringify(shard));
  return { body, digest: createHash('sha256').update(body).digest('hex') };
}

const shardPattern = /^[0-9a-f]{2}$/;
const digestPattern = /^[0-9a-f]{64}$/;

/** Checks a payload whose signature is proved. Throws `STORE_FORMAT_UNKNOWN`, `STORE_OBJECT_CORRUPT`. */
export function parseIndex(value: unknown): AccessRulesIndex {
  if (!isRecord(value)) throw corrupt(accessRulesIndexObject, 'it is not an object');
  const { format, version, shards } = value;
  if (format !== 'turso-byoc/access-rules/1') throw unknownFormat(accessRulesIndexObject, format);
  if (!isCount(version) || version < 1) throw corrupt(accessRulesIndexObject, 'its version is not a positive integer');
  if (!isRecord(shards)) throw corrupt(accessRulesIndexObject, 'it names no shards');
  for (const [shard, digest] of Object.entries(shards)) {
    if (!shardPattern.test(shard) || typeof digest !== 'string' || !digestPattern.test(digest)) {
      throw corrupt(accessRulesIndexObject, 'it names a shard that is none');
    }
  }
  return { format, version, shards: shards as Record<string, string> };
}

/** Checks the bytes of a shard against its digest, and their shape. Throws `STORE_FORMAT_UNKNOWN`, `STORE_OBJECT_CORRUPT`. */
export function parseShard(key: string, digest: string, body: Buffer): ReadonlyMap<string, SubjectRules> {
  if (body.length > maxShardBytes) throw corrupt(key, `it has ${body.length} bytes`);
  if (createHash('sha256').update(body).digest('hex') !== digest) throw corrupt(key, 'its digest is another one');
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw corrupt(key, 'it is not JSON', error);
  }
  if (!isRecord(value)) throw corrupt(key, 'it is not an object');
  const { format, subjects } = value;
  if (format !== 'turso-byoc/access-rules-shard/1') throw unknownFormat(key, format);
  if (!isRecord(subjects)) throw corrupt(key, 'it names no subjects');
  const parsed = new Map<string, SubjectRules>();
  for (const [subject, rules] of Object.entries(subjects)) {
    if (!isSubjectRules(rules)) throw corrupt(key, 'it has rules that are none');
    parsed.set(subject, rules);
  }
  return parsed;
}

function isSubjectRules(value: unknown): value is SubjectRules {
  if (!isRecord(value)) return false;
  const {
    generation,
    revoked,
    blockReads,
    blockWrites,
    maxBytes,
    allowedIps,
    allowedVpcEndpoints,
    issuers,
    ...others
  } = value;
  return (
    Object.keys(others).length === 0 &&
    (generation === undefined || isCount(generation)) &&
    (revoked === undefined || isTexts(revoked)) &&
    (blockReads === undefined || blockReads === true) &&
    (blockWrites === undefined || blockWrites === true) &&
    (maxBytes === undefined || isCount(maxBytes)) &&
    (allowedIps === undefined || (isTexts(allowedIps) && faultOfAddresses(allowedIps) === undefined)) &&
    (allowedVpcEndpoints === undefined ||
      (isTexts(allowedVpcEndpoints) && faultOfVpcEndpoints(allowedVpcEndpoints) === undefined)) &&
    (issuers === undefined || (Array.isArray(issuers) && issuers.every(isRegisteredIssuer)))
  );
}

function isRegisteredIssuer(value: unknown): value is RegisteredIssuer {
  if (!isRecord(value)) return false;
  const { url, issuer, audience, ...others } = value;
  return (
    Object.keys(others).length === 0 &&
    typeof url === 'string' &&
    [issuer, audience].every((text) => text === undefined || typeof text === 'string')
  );
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unknownFormat(key: string, format: unknown): ByocError {
  if (typeof format !== 'string') return corrupt(key, 'it does not name its format');
  return new ByocError('STORE_FORMAT_UNKNOWN', `${key} has the unknown format ${JSON.stringify(format.slice(0, 64))}`);
}

function corrupt(key: string, why: string, cause?: unknown): ByocError {
  return new ByocError('STORE_OBJECT_CORRUPT', `${key} does not hold access rules: ${why}`, { cause });
}
