/**
 * Groups as they were found a moment ago, for creations: each names its group, and hardly ever has that changed since the last
 * one. What is remembered may be out of date (renamed, moved or deleted through another replica), so it is good only for work
 * that checks it when it takes effect, as `insertCreating` does.
 */
import type { Clock } from '../clock.js';
import type { CatalogConnection } from './catalog-connection.js';
import { findGroup, type GroupRecord } from './groups.js';

const maxStalenessMs = 5_000;
const maxRemembered = 10_000;

export class RememberedGroups {
  readonly #remembered = new Map<string, { readonly group: GroupRecord; readonly foundAtMs: number }>();

  constructor(
    private readonly catalog: CatalogConnection,
    private readonly clock: Clock,
  ) {}

  /** The organization's group of this name, or with this uuid; `fresh`: as it is now. */
  async find(
    organization: string,
    nameOrUuid: string,
    { fresh = false }: { readonly fresh?: boolean } = {},
  ): Promise<GroupRecord | undefined> {
    // An organization's slug has no slash.
    const key = `${organization}/${nameOrUuid}`;
    const nowMs = this.clock.now();
    const remembered = this.#remembered.get(key);
    if (!fresh && remembered !== undefined && nowMs - remembered.foundAtMs < maxStalenessMs) return remembered.group;
    const group = await findGroup(this.catalog, organization, nameOrUuid);
    this.#remembered.delete(key);
    if (group === undefined) return undefined;
    if (this.#remembered.size >= maxRemembered) this.#remembered.clear();
    this.#remembered.set(key, { group, foundAtMs: nowMs });
    return group;
  }
}
