/**
 * Holds callers to the limits that the operator set. Limits are looked up at most every `maxStalenessMs` for each subject;
 * request rates are counted in this process, so with several replicas a caller may have the rate at each of them.
 */
import type { CatalogConnection } from '../catalog/catalog-connection.js';
import { countOf, limitsOf, type Limits, type LimitScope } from '../catalog/limits.js';
import type { Clock } from '../clock.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import { TokenBucket } from './token-bucket.js';

export const maxStalenessMs = 5_000;
const maxRemembered = 10_000;

interface Subject {
  readonly scope: LimitScope;
  readonly subject: string;
}

/** Too many requests; `retryAfterMs` says when the next one is welcome. */
export class RateLimitError extends ControlPlaneError {
  constructor(
    message: string,
    readonly retryAfterMs: number,
  ) {
    super('RATE_LIMITED', message);
  }
}

export class Limiter {
  readonly #remembered = new Map<string, { readonly limits: Limits; readonly lookedUpAtMs: number }>();
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(
    private readonly catalog: CatalogConnection,
    private readonly clock: Clock,
  ) {}

  /** Forgets what was looked up: limits were changed through this replica. */
  forget(): void {
    this.#remembered.clear();
  }

  /** Counts a request of each subject. Throws `RATE_LIMITED`. */
  async assertRate(subjects: readonly Subject[]): Promise<void> {
    const limits = await this.#limits(subjects);
    const nowMs = this.clock.now();
    for (const { scope, subject } of subjects) {
      const key = `${scope}:${subject}`;
      const perMinute = limits.get(key)?.requests_per_minute;
      if (perMinute === undefined) {
        this.#buckets.delete(key);
        continue;
      }
      let bucket = this.#buckets.get(key);
      if (bucket?.perMinute !== perMinute) {
        if (this.#buckets.size >= maxRemembered) this.#buckets.clear();
        bucket = new TokenBucket(perMinute, nowMs);
        this.#buckets.set(key, bucket);
      }
      const waitMs = perMinute === 0 ? 60_000 : bucket.take(nowMs);
      if (waitMs === undefined) continue;
      throw new RateLimitError(`the ${scope} may send ${perMinute} requests a minute`, waitMs);
    }
  }

  /** Throws `QUOTA_EXCEEDED` unless the organization may have one group or member more. The quota of databases is the catalog's to keep. */
  async assertRoom(what: 'groups' | 'members', organization: string): Promise<void> {
    const limits = await this.#limits([{ scope: 'organization', subject: organization }]);
    const limit = limits.get(`organization:${organization}`)?.[what];
    if (limit === undefined || (await countOf(this.catalog, what, organization)) < limit) return;
    throw new ControlPlaneError('QUOTA_EXCEEDED', `the organization may have ${limit} ${what}`);
  }

  async #limits(subjects: readonly Subject[]): Promise<ReadonlyMap<string, Limits>> {
    const nowMs = this.clock.now();
    const isFresh = (key: string): boolean => {
      const remembered = this.#remembered.get(key);
      return remembered !== undefined && nowMs - remembered.lookedUpAtMs < maxStalenessMs;
    };
    const unknown = subjects.filter(({ scope, subject }) => !isFresh(`${scope}:${subject}`));
    if (unknown.length > 0) {
      const found = await limitsOf(this.catalog, unknown);
      if (this.#remembered.size >= maxRemembered) this.#remembered.clear();
      for (const { scope, subject } of unknown) {
        const key = `${scope}:${subject}`;
        this.#remembered.set(key, { limits: found.get(key) ?? {}, lookedUpAtMs: nowMs });
      }
    }
    return new Map(
      subjects.map(({ scope, subject }) => {
        const key = `${scope}:${subject}`;
        return [key, this.#remembered.get(key)?.limits ?? {}];
      }),
    );
  }
}
