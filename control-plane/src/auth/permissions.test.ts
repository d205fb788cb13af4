import {
  assertPermitted,
  groupScopes,
  parseRole,
  parseScopes,
  roleAllows,
  roles,
  type Permission,
} from './permissions.js';

const fault = (code: string): unknown => expect.objectContaining({ code });

describe('roles', () => {
  it.each<[Permission, string[]]>([
    ['read', ['owner', 'admin', 'member', 'viewer']],
    ['db:create', ['owner', 'admin', 'member']],
    ['group:create', ['owner', 'admin']],
    ['members:manage', ['owner', 'admin']],
    ['audit:read', ['owner', 'admin']],
    ['organization:delete', ['owner']],
  ])('%s is for %j', (permission, allowed) => {
    expect(roles.filter((role) => roleAllows(role, permission))).toEqual(allowed);
  });

  it('are named in requests, all but owner', () => {
    expect(['admin', 'member', 'viewer', undefined, null, ''].map((name) => parseRole(name))).toEqual([
      'admin',
      'member',
      'viewer',
      'member',
      'member',
      'member',
    ]);
    for (const name of ['owner', 'root', 'Admin', 'toString']) {
      expect(() => parseRole(name)).toThrow(fault('ROLE_INVALID') as Error);
    }
  });
});

describe('scopes', () => {
  it('narrow what the role allows and never widen it', () => {
    const readOnly = { organization: 'acme', group: { uuid: 'g', scopes: parseScopes(['read-only']) } };
    expect(() => assertPermitted('read', 'owner', readOnly)).not.toThrow();
    expect(() => assertPermitted('db:create', 'owner', readOnly)).toThrow(fault('PERMISSION_DENIED') as Error);
    const full = { organization: 'acme', group: { uuid: 'g', scopes: parseScopes(['full-access']) } };
    expect(() => assertPermitted('db:create', 'viewer', full)).toThrow(fault('PERMISSION_DENIED') as Error);
    expect(() => assertPermitted('group:delete', 'owner', full)).toThrow(fault('PERMISSION_DENIED') as Error);
    expect(() => assertPermitted('organization:read', 'owner', full)).toThrow(fault('PERMISSION_DENIED') as Error);
    expect(() => assertPermitted('organization:delete', 'owner', { organization: 'acme' })).not.toThrow();
  });

  it('are expanded from presets, each once', () => {
    expect(parseScopes(['full-access', 'read'])).toEqual([...groupScopes]);
    expect(parseScopes(['db:create', 'db:create'])).toEqual(['db:create']);
    for (const names of [[], ['write'], ['__proto__'], ['read', '']]) {
      expect(() => parseScopes(names)).toThrow(fault('SCOPES_INVALID') as Error);
    }
  });
});
