import { createClient } from '@libsql/client';

export interface SmokeTestOptions {
  /** The deployed Platform API, without a trailing slash. */
  readonly apiUrl: string;
  /** The deployed data plane, without a trailing slash. */
  readonly dataUrl: string;
  readonly organization: string;
  /** A platform token. */
  readonly token: string;
  /** Name of the database, and of the group if there is none yet. */
  readonly name: string;
  readonly report: (line: string) => void;
}

/**
 * Creates a database, writes, reads and deletes it, as any client would. Throws an `Error` that says which step failed;
 * the database is deleted then, too.
 */
export async function smokeTest(options: SmokeTestOptions): Promise<void> {
  const { dataUrl, organization, name, report } = options;
  const group = await anyGroup(options);
  const { database } = (await call(options, 'POST', '/v1/databases', { name, group })) as {
    database: { DbId: string };
  };
  report(`created the database ${name} (${database.DbId}) in the group ${group}`);
  try {
    const { jwt } = (await call(options, 'POST', `/v1/databases/${name}/auth/tokens?expiration=5m`)) as { jwt: string };
    const client = createClient({ url: `${dataUrl}/db/${name}-${organization}/`, authToken: jwt });
    try {
      await client.batch(['CREATE TABLE notes (text)', "INSERT INTO notes VALUES ('written')"], 'write');
      report('wrote a row');
      const { rows } = await client.execute('SELECT text FROM notes');
      const read = rows.map((row) => row['text']);
      if (read.length !== 1 || read[0] !== 'written')
        throw new Error(`read ${JSON.stringify(read)} instead of the row`);
      report('read it');
    } finally {
      client.close();
    }
  } finally {
    await call(options, 'DELETE', `/v1/databases/${name}`);
  }
  const gone = await send(options, 'GET', `/v1/databases/${name}`);
  if (gone.status !== 404) throw new Error(`the database still answers with ${gone.status} after its deletion`);
  report('deleted the database');
}

async function anyGroup(options: SmokeTestOptions): Promise<string> {
  const { groups } = (await call(options, 'GET', '/v1/groups')) as { groups: { name: string }[] };
  const [first] = groups;
  if (first !== undefined) return first.name;
  await call(options, 'POST', '/v1/groups', { name: options.name });
  return options.name;
}

async function call(options: SmokeTestOptions, method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await send(options, method, path, body);
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text.slice(0, 500)}`);
  return JSON.parse(text);
}

async function send(
  { apiUrl, token }: SmokeTestOptions,
  method: string,
  path: string,
  body?: unknown,
): Promise<Response> {
  return fetch(`${apiUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  });
}
