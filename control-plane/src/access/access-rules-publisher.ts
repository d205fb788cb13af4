/**
 * Publishes access rules: what `access_rules` and `minted_tokens` hold goes into the control store, from where data nodes
 * take it (see data-plane/src/auth/access-rules.ts).
 *
 * A change of a rule notes its shard in `unpublished_shards` in the same transaction. Publishing reads the index, then the
 * rows of the noted shards, then replaces the index by If-Match: whoever was slower starts again, so what stands in the
 * index is never older than what stood there before. A crash leaves the note, and the next publishing finishes the work.
 */
import {
  accessRulesIndexObject,
  accessRulesIndexType,
  accessRulesShardObject,
  encodeShard,
  maxShardBytes,
  parseIndex,
  parseShard,
  type AccessRulesIndex,
  type SubjectRules,
} from '@turso-byoc/data-plane/auth/access-rules.js';
import { OutcomeUnknownError, type ETag, type ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import type { TokenSigner } from '../auth/token-signer.js';
import { insertPublishedRules, publishedShards, rulesOfShard, unpublishedShards } from '../catalog/access-rules.js';
import type { CatalogConnection } from '../catalog/catalog-connection.js';
import type { Clock } from '../clock.js';
import { digestToSign, joinSigned, splitSigned } from '@turso-byoc/data-plane/auth/signed-content.js';
import { ControlPlaneError } from '../errors/catalogue.js';

const maxAttempts = 50;

export class AccessRulesPublisher {
  #publishing: Promise<void> | undefined;
  #upcoming: Promise<void> | undefined;

  constructor(
    private readonly store: ObjectStore,
    private readonly signer: TokenSigner,
    private readonly catalog: CatalogConnection,
    private readonly clock: Clock,
  ) {}

  /**
   * Resolves when every rule that was changed before this call is published. Calls that come while one runs share the next
   * one. Throws `CONTROL_STORE_CONTENDED`, `CONTROL_STORE_CORRUPT`, `REVOCATIONS_FULL` and the store's errors.
   */
  async publish(): Promise<void> {
    if (this.#publishing === undefined) return this.#start();
    this.#upcoming ??= this.#publishing
      .catch(() => undefined)
      .then(async () => {
        this.#upcoming = undefined;
        return this.#start();
      });
    return this.#upcoming;
  }

  /**
   * Takes what is published back into a catalog that has lost it, so that tokens that were rotated away stay so. What the
   * catalog has is newer and stays. Throws `CONTROL_STORE_CORRUPT`, and the errors of the store.
   */
  async takeBack(): Promise<void> {
    const { index } = await this.#readIndex();
    for (const [shard, digest] of Object.entries(index?.shards ?? {})) {
      const key = accessRulesShardObject(shard, digest);
      const object = await this.store.get(key);
      // Replaced since the index was read: by somebody who has the rules.
      if (object === undefined) continue;
      await insertPublishedRules(this.catalog, parsedShard(key, digest, object.body), this.clock.now());
    }
  }

  async #start(): Promise<void> {
    this.#publishing = this.#publish().finally(() => {
      this.#publishing = undefined;
    });
    return this.#publishing;
  }

  async #publish(): Promise<void> {
    for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
      const { index, etag } = await this.#readIndex();
      const changes = await unpublishedShards(this.catalog);
      if (changes.length === 0) return;
      const shards = { ...index?.shards };
      const replaced: string[] = [];
      for (const { shard } of changes) {
        const subjects = await rulesOfShard(this.catalog, shard, this.clock.now());
        const { body, digest } = encodeShard(subjects);
        if (body.length > maxShardBytes) {
          throw new ControlPlaneError(
            'REVOCATIONS_FULL',
            `the access rules of shard ${shard} take ${body.length} bytes`,
          );
        }
        const before = shards[shard];
        if (before !== undefined && before !== digest) replaced.push(accessRulesShardObject(shard, before));
        shards[shard] = digest;
        // Named by its content: one that is there already is the same.
        await settled(async () => this.store.put(accessRulesShardObject(shard, digest), body, { ifAbsent: true }));
      }
      const next: AccessRulesIndex = {
        format: 'turso-byoc/access-rules/1',
        version: (index?.version ?? 0) + 1,
        shards,
      };
      if (!(await this.#replaceIndex(next, etag))) continue;
      await publishedShards(this.catalog, changes);
      for (const key of replaced) await this.store.delete(key);
      return;
    }
    throw new ControlPlaneError('CONTROL_STORE_CONTENDED', 'the access rules could not be published');
  }

  async #readIndex(): Promise<{ index: AccessRulesIndex | undefined; etag: ETag | undefined }> {
    const object = await this.store.get(accessRulesIndexObject);
    if (object === undefined) return { index: undefined, etag: undefined };
    try {
      const content = splitSigned(object.body)?.content ?? Buffer.alloc(0);
      const index = parseIndex(JSON.parse(content.toString('utf8')));
      return { index, etag: object.etag };
    } catch (error) {
      throw new ControlPlaneError(
        'CONTROL_STORE_CORRUPT',
        `the object ${accessRulesIndexObject} of the control store holds no access rules`,
        { cause: error },
      );
    }
  }

  /** False when another replica was faster, or when nobody knows: the next round sees what is there. */
  async #replaceIndex(next: AccessRulesIndex, etag: ETag | undefined): Promise<boolean> {
    const content = Buffer.from(JSON.stringify(next));
    const signature = await this.signer.signBytes(digestToSign(content), accessRulesIndexType);
    const body = joinSigned({ signature, content });
    const result = await settled(async () =>
      this.store.put(accessRulesIndexObject, body, etag === undefined ? { ifAbsent: true } : { ifMatch: etag }),
    );
    return result?.won === true;
  }
}

function parsedShard(key: string, digest: string, body: Buffer): ReadonlyMap<string, SubjectRules> {
  try {
    return parseShard(key, digest, body);
  } catch (error) {
    throw new ControlPlaneError(
      'CONTROL_STORE_CORRUPT',
      `the object ${key} of the control store holds no access rules`,
      {
        cause: error,
      },
    );
  }
}

/** What a write returned; undefined when its outcome is unknown, which the next round settles. */
async function settled<T>(write: () => Promise<T>): Promise<T | undefined> {
  try {
    return await write();
  } catch (error) {
    if (error instanceof OutcomeUnknownError) return undefined;
    throw error;
  }
}
