import type { UserRecord } from '../catalog/users.js';
import type { Role, TokenRestriction } from './permissions.js';

/** Whom a platform token stands for, as the catalog says. */
export interface TokenHolder {
  readonly tokenName: string;
  readonly user: UserRecord;
  /** Role by the organization's slug, in the order in which the user became a member. */
  readonly memberships: ReadonlyMap<string, Role>;
  /** Absent = the token can do what its user can. */
  readonly restriction?: TokenRestriction;
}

/**
 * The organization that a call without one in its path is about: the token's own, else the one that is named like the
 * user and owned by them, else the first that the user became a member of. Anybody else's organization of that name is one
 * among others, because nobody is asked before they are made a member.
 */
export function homeOrganization(holder: TokenHolder): string | undefined {
  if (holder.restriction !== undefined) return holder.restriction.organization;
  const { username } = holder.user;
  return holder.memberships.get(username) === 'owner' ? username : [...holder.memberships.keys()][0];
}
