/**
 * What a caller may do. A person has a role in each organization; a token gives at most the rights of the person that
 * minted it, and less when it is restricted to an organization, or to some scopes of one group.
 */
import { ControlPlaneError } from '../errors/catalogue.js';

export const roles = ['owner', 'admin', 'member', 'viewer'] as const;
export type Role = (typeof roles)[number];

/** Rights that a token for one group can be given; the names are those of the Platform API. */
export const groupScopes = [
  'read',
  'db:create',
  'db:delete',
  'db:configure',
  'db:mint-token',
  'db:rotate-creds',
  'group:configure',
  'group:mint-token',
  'group:rotate-creds',
] as const;
export type GroupScope = (typeof groupScopes)[number];

/** Rights in an organization: the scopes, and what no group token can do. */
export type Permission =
  | GroupScope
  | 'organization:read'
  | 'organization:configure'
  | 'organization:delete'
  | 'group:create'
  | 'group:delete'
  | 'group:transfer'
  | 'fleet:run'
  | 'members:manage'
  | 'tokens:manage'
  | 'audit:read';

const viewer: readonly Permission[] = ['read', 'organization:read'];
const member: readonly Permission[] = [...viewer, ...groupScopes, 'fleet:run'];
const admin: readonly Permission[] = [
  ...member,
  'group:create',
  'group:delete',
  'group:transfer',
  'organization:configure',
  'members:manage',
  'tokens:manage',
  'audit:read',
];
const owner: readonly Permission[] = [...admin, 'organization:delete'];

const permissionsOf: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  owner: new Set(owner),
  admin: new Set(admin),
  member: new Set(member),
  viewer: new Set(viewer),
};

/** What restricts a token to less than its holder's rights. */
export interface TokenRestriction {
  /** Slug of the one organization. */
  readonly organization: string;
  readonly group?: { readonly uuid: string; readonly scopes: readonly GroupScope[] };
}

/** Whether a role holds a permission. */
export function roleAllows(role: Role, permission: Permission): boolean {
  return permissionsOf[role].has(permission);
}

/**
 * Throws `PERMISSION_DENIED`, in words that say what is missing, unless a member with this role may do this with a token
 * that is restricted like this.
 */
export function assertPermitted(permission: Permission, role: Role, restriction: TokenRestriction | undefined): void {
  if (!roleAllows(role, permission)) {
    throw new ControlPlaneError('PERMISSION_DENIED', `a ${role} of the organization may not do this (${permission})`);
  }
  const scopes: readonly Permission[] | undefined = restriction?.group?.scopes;
  if (scopes?.includes(permission) === false) {
    throw new ControlPlaneError('PERMISSION_DENIED', `the token does not have the scope ${permission}`);
  }
}

const presets: Readonly<Record<string, readonly GroupScope[]>> = {
  'read-only': ['read'],
  'full-access': groupScopes,
};

/** The scopes that a request names, presets expanded, each once. Throws `SCOPES_INVALID`. */
export function parseScopes(names: readonly string[]): GroupScope[] {
  const scopes = new Set<GroupScope>();
  for (const name of names) {
    const meant = Object.hasOwn(presets, name) ? presets[name] : groupScopes.filter((scope) => scope === name);
    if (meant === undefined || meant.length === 0) {
      const known = [...groupScopes, ...Object.keys(presets)].join(', ');
      throw new ControlPlaneError('SCOPES_INVALID', `${JSON.stringify(name)} is no scope; the scopes are ${known}`);
    }
    for (const scope of meant) scopes.add(scope);
  }
  if (scopes.size === 0) throw new ControlPlaneError('SCOPES_INVALID', 'a token for a group needs at least one scope');
  return [...scopes];
}

/** The role in a request; `owner` is not for the asking. Throws `ROLE_INVALID`. */
export function parseRole(name: string | undefined | null, fallback: Role = 'member'): Role {
  if (name === undefined || name === null || name === '') return fallback;
  const role = roles.find((each) => each === name);
  if (role === undefined || role === 'owner') throw new ControlPlaneError('ROLE_INVALID', 'invalid role');
  return role;
}
