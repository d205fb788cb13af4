import type { LocalSystemForTests } from './local-system-for-tests.js';

export interface Answer {
  readonly status: number;
  readonly body: Record<string, any>;
  readonly headers: Headers;
}

/** Calls of the Platform API with one token, or none. */
export type Call = (method: string, path: string, body?: unknown) => Promise<Answer>;

/** Calls with this token; `extra` goes into the headers. */
export function callWith(apiUrl: string, token: string | undefined, extra: Record<string, string> = {}): Call {
  return async (method, path, body) => {
    const response = await fetch(`${apiUrl}${path}`, {
      method,
      headers: { ...extra, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: 'manual',
    });
    const text = await response.text();
    return {
      status: response.status,
      body: text === '' ? {} : (JSON.parse(text) as Answer['body']),
      headers: response.headers,
    };
  };
}

/** Makes a user with a token of their own, as an operator does, and a member of an organization if a role is given. */
export async function addUser(
  local: LocalSystemForTests,
  username: string,
  membership?: { readonly organization?: string; readonly role: string },
): Promise<{ readonly call: Call; readonly token: string }> {
  const operator = callWith(local.system.apiUrl, local.system.token);
  const created = await operator('POST', '/v1/users', { username, email: `${username}@example.com` });
  if (created.status !== 200) throw new Error(JSON.stringify(created.body));
  const { body } = await operator('POST', `/v1/users/${username}/api-tokens/first`);
  if (membership !== undefined) {
    const organization = membership.organization ?? local.system.organization;
    const added = await operator('POST', `/v1/organizations/${organization}/members`, {
      username,
      role: membership.role,
    });
    if (added.status !== 200) throw new Error(JSON.stringify(added.body));
  }
  const token = body['token'] as string;
  return { call: callWith(local.system.apiUrl, token), token };
}

/** Repeats an operation until its result is good; the test's own time limit ends it. */
export async function eventually<T>(operation: () => Promise<T>, isGood: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await operation();
    if (isGood(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
