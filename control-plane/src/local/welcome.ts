import type { LocalAccess } from './local-system.js';

/** What a person sees when a local system is ready: where it is, and how to make and query a first database. */
export function welcome(access: LocalAccess, paths: { readonly localJson: string; readonly logs: string }): string {
  const { apiUrl, dataUrl, organization, group, token } = access;
  return `
Turso BYOC is running on this machine.

  Platform API    ${apiUrl}   (organization "${organization}", group "${group}")
  Data plane      ${dataUrl}   (a database is at ${dataUrl}/db/<database>-${organization}/)
  Platform token  ${token}
  All of this     ${paths.localJson}
  Logs            ${paths.logs}

Try it: create a database, mint a token for it, query it.

  export TURSO_PLATFORM_TOKEN='${token}'

  curl -s -X POST ${apiUrl}/v1/organizations/${organization}/databases \\
    -H "Authorization: Bearer $TURSO_PLATFORM_TOKEN" -d '{"name":"first","group":"${group}"}'

  export TURSO_AUTH_TOKEN=$(curl -s -X POST ${apiUrl}/v1/organizations/${organization}/databases/first/auth/tokens \\
    -H "Authorization: Bearer $TURSO_PLATFORM_TOKEN" | sed 's/.*"jwt":"\\([^"]*\\)".*/\\1/')

  npm install @libsql/client        (in a project of yours), then:

  import { createClient } from '@libsql/client';
  const db = createClient({ url: '${dataUrl}/db/first-${organization}/', authToken: process.env.TURSO_AUTH_TOKEN });
  await db.execute('CREATE TABLE IF NOT EXISTS notes (text TEXT)');
  await db.execute({ sql: 'INSERT INTO notes VALUES (?)', args: ['hello'] });
  console.log((await db.execute('SELECT * FROM notes')).rows);

With @tursodatabase/api: createClient({ org: '${organization}', token, baseUrl: '${apiUrl}/v1/' })

Press Ctrl-C to stop.
`;
}
