/**
 * The access rules as they were last read, and what they say of a request. An index is believed when a published key
 * signed it and it is not older than the one before; a shard when its digest is the one that the index names.
 */
import { compactVerify, errors } from 'jose';
import { ByocError } from '../errors/catalogue.js';
import type { ObjectStore } from '../object-store/object-store.js';
import {
  accessRulesIndexObject,
  accessRulesIndexType,
  accessRulesShardObject,
  maxIndexBytes,
  parseIndex,
  parseShard,
  shardOf,
  type AccessRulesIndex,
  type RegisteredIssuer,
  type SubjectRules,
} from './access-rules.js';
import type { DatabaseTokenClaims } from './claims.js';
import { AddressSet, type ClientOrigin } from './client-origin.js';
import { isDigestOf, splitSigned } from './signed-content.js';
import type { VerificationKey } from './verification-key-set.js';

/** How often an index is read again when what it names was replaced meanwhile. */
const maxAttempts = 5;

interface ReadShard {
  readonly digest: string;
  readonly subjects: ReadonlyMap<string, SubjectRules>;
}

/** What the rules leave of a request's rights. */
export interface RuledAccess {
  /** Writes of the database are blocked. */
  readonly writesBlocked: boolean;
  /** Bytes that the database may grow to. */
  readonly maxBytes?: number;
}

const unknownOrigin = (): ClientOrigin => ({ address: undefined });
const unruled: RuledAccess = { writesBlocked: false };

export class PublishedRules {
  readonly #store: Pick<ObjectStore, 'get'>;
  #version = 0;
  #shards: ReadonlyMap<string, ReadShard> = new Map();
  #hasIssuers = false;

  constructor(store: Pick<ObjectStore, 'get'>) {
    this.#store = store;
  }

  /** Reads the rules that are published now. Throws the errors of the store, `STORE_OBJECT_CORRUPT`, `STORE_FORMAT_UNKNOWN`. */
  async read(keys: ReadonlyMap<string, VerificationKey>): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const object = await this.#store.get(accessRulesIndexObject);
      const index = object === undefined ? undefined : await verifiedIndex(object.body, keys);
      const version = index?.version ?? 0;
      if (version < this.#version) {
        throw corruptIndex(
          `it went back from version ${this.#version} to ${index === undefined ? 'nothing' : version}`,
        );
      }
      if (index === undefined || version === this.#version) return;
      const shards = await this.#readShards(index);
      if (shards !== undefined) {
        this.#version = version;
        this.#shards = shards;
        this.#hasIssuers = [...shards.values()].some(({ subjects }) =>
          [...subjects.values()].some(({ issuers }) => issuers !== undefined),
        );
        return;
      }
      if (attempt === maxAttempts) throw corruptIndex('it names a shard that is not there');
    }
  }

  /**
   * What the rules leave of the rights of a token on a database. Throws `AUTH_JWT_REVOKED` when it was rotated away or
   * revoked, `ORIGIN_FORBIDDEN` when requests may not come from there, `BLOCKED` when reads of the database are blocked.
   * `origin` is asked only where a rule needs it.
   */
  judge(
    claims: DatabaseTokenClaims,
    database: { readonly id: string; readonly group: { readonly id: string } },
    origin: () => ClientOrigin = unknownOrigin,
  ): RuledAccess {
    if (this.#shards.size === 0) return unruled;
    const own = this.#rulesOf(database.id);
    const group = this.#rulesOf(database.group.id);
    const { id, gid, jti, rid = 0, grid = 0, isOutside } = claims;
    const isRotated =
      id === undefined
        ? rid < (group?.generation ?? 0)
        : rid < (own?.generation ?? 0) || grid < (group?.generation ?? 0);
    const isRevoked = (gid === undefined ? own : group)?.revoked?.includes(jti) === true;
    // Generations are of the deployment's own tokens; an issuer outside takes its keys back itself.
    if ((isRotated && isOutside !== true) || isRevoked)
      throw new ByocError('AUTH_JWT_REVOKED', 'the token has been revoked');
    if (group) assertOrigin(group, origin);
    if (own === undefined) return unruled;
    assertOrigin(own, origin);
    if (own.blockReads === true) throw new ByocError('BLOCKED', 'SQL read operations are forbidden: reads are blocked');
    const { blockWrites, maxBytes } = own;
    if (blockWrites === undefined && maxBytes === undefined) return unruled;
    return { writesBlocked: blockWrites === true, ...(maxBytes !== undefined && { maxBytes }) };
  }

  /** Whether any group knows a key set outside the deployment. */
  get hasIssuers(): boolean {
    return this.#hasIssuers;
  }

  /** The key sets outside the deployment whose tokens may open databases of a group. */
  issuersOf(group: string): readonly RegisteredIssuer[] {
    return this.#rulesOf(group)?.issuers ?? [];
  }

  #rulesOf(uuid: string): SubjectRules | undefined {
    return this.#shards.get(shardOf(uuid))?.subjects.get(uuid);
  }

  /** Undefined when a shard was replaced since the index was read. */
  async #readShards(index: AccessRulesIndex): Promise<ReadonlyMap<string, ReadShard> | undefined> {
    const shards = new Map<string, ReadShard>();
    for (const [shard, digest] of Object.entries(index.shards)) {
      const known = this.#shards.get(shard);
      if (known?.digest === digest) {
        shards.set(shard, known);
        continue;
      }
      const key = accessRulesShardObject(shard, digest);
      const object = await this.#store.get(key);
      if (object === undefined) return undefined;
      shards.set(shard, { digest, subjects: parseShard(key, digest, object.body) });
    }
    return shards;
  }
}

/** Ready to be asked, by the rules that name them. */
const addressSets = new WeakMap<SubjectRules, AddressSet>();

function assertOrigin(rules: SubjectRules, origin: () => ClientOrigin): void {
  const { allowedIps, allowedVpcEndpoints } = rules;
  if (allowedIps === undefined && allowedVpcEndpoints === undefined) return;
  const { address, vpcEndpoint } = origin();
  if (allowedIps !== undefined) {
    let addresses = addressSets.get(rules);
    if (addresses === undefined) {
      addresses = new AddressSet(allowedIps);
      addressSets.set(rules, addresses);
    }
    if (address === undefined || !addresses.has(address)) {
      throw new ByocError('ORIGIN_FORBIDDEN', `requests from ${address ?? 'an unknown address'} are not allowed`);
    }
  }
  if (allowedVpcEndpoints?.includes(vpcEndpoint ?? '') === false) {
    const through = vpcEndpoint === undefined ? 'past every VPC endpoint' : `through ${vpcEndpoint}`;
    throw new ByocError('ORIGIN_FORBIDDEN', `requests that come ${through} are not allowed`);
  }
}

async function verifiedIndex(body: Buffer, keys: ReadonlyMap<string, VerificationKey>): Promise<AccessRulesIndex> {
  if (body.length > maxIndexBytes) throw corruptIndex(`it has ${body.length} bytes`);
  try {
    const signed = splitSigned(body);
    if (signed === undefined) throw corruptIndex('it has no signature');
    const { payload, protectedHeader } = await compactVerify(
      signed.signature,
      (header) => {
        const key = keys.get(header.kid ?? '');
        if (key === undefined) throw new errors.JWKSNoMatchingKey();
        return key.key;
      },
      { algorithms: ['EdDSA'] },
    );
    // A token that the same key signed for another use is no index.
    if (protectedHeader.typ !== accessRulesIndexType) throw corruptIndex('it was signed for another use');
    if (!isDigestOf(payload, signed.content)) throw corruptIndex('its signature is that of another one');
    return parseIndex(JSON.parse(signed.content.toString('utf8')));
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof SyntaxError) {
      throw corruptIndex('no published key has signed it', error);
    }
    throw error;
  }
}

function corruptIndex(why: string, cause?: unknown): ByocError {
  return new ByocError('STORE_OBJECT_CORRUPT', `${accessRulesIndexObject} does not hold access rules: ${why}`, {
    cause,
  });
}
