import { ControlPlaneError } from '../errors/catalogue.js';

/**
 * The JSON in a request body, whatever content type it came under (the Platform SDK sends JSON as plain text); undefined
 * for an empty one. The keys of the outermost object are lower-cased, because the CLI capitalises some of them. Throws
 * `MALFORMED_REQUEST`.
 */
export function parseJsonBody(body: Buffer): unknown {
  const text = body.toString('utf8');
  if (text.trim() === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ControlPlaneError('MALFORMED_REQUEST', 'the body is not valid JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).map(([key, field]): [string, unknown] => [key.toLowerCase(), field]);
  if (new Set(entries.map(([key]) => key)).size !== entries.length) {
    throw new ControlPlaneError('MALFORMED_REQUEST', 'the body has the same key twice');
  }
  return Object.fromEntries(entries);
}
