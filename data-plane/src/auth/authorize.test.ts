import { thrownBy } from '../../test/support/thrown-by.js';
import type { DatabaseDescription } from '../database/database-service.js';
import { databaseId } from '../identity.js';
import { authorize } from './authorize.js';
import type { DatabaseTokenClaims } from './claims.js';

const database: DatabaseDescription = {
  id: databaseId('11111111-1111-4111-8111-111111111111'),
  name: 'shop',
  organization: 'acme',
  group: { id: '22222222-2222-4222-8222-222222222222', name: 'default' },
  engine: 'libsql',
  createdAtMs: 0,
  keyId: 'default',
};
const common = { aud: 'turso-byoc:database', iat: 0, jti: 'j', a: 'rw' } as const;

function refusal(claims: DatabaseTokenClaims, target: DatabaseDescription | undefined): unknown {
  return thrownBy(() => authorize(claims, target));
}

describe('authorize', () => {
  it('lets a token in to its database and to every database of its group', () => {
    expect(authorize({ ...common, id: database.id }, database)).toBe(database);
    expect(authorize({ ...common, gid: database.group.id }, database)).toBe(database);
  });

  it('never takes a database id for a group id or the other way round', () => {
    expect(refusal({ ...common, gid: database.id }, database)).toMatchObject({ code: 'AUTH_FORBIDDEN', status: 401 });
    expect(refusal({ ...common, id: database.group.id }, database)).toMatchObject({ code: 'AUTH_FORBIDDEN' });
  });

  it('refuses a foreign database and one that does not exist in the same words', () => {
    const foreign = { ...common, id: '33333333-3333-4333-8333-333333333333' };
    expect(refusal(foreign, database)).toEqual(refusal(foreign, undefined));
  });
});
