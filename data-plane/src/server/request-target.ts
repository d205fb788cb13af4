import { parseHostLabel, type DatabaseAddress } from '../naming/host-label.js';

/** A request target, taken apart. */
export interface RequestTarget {
  /** The route: starts with a slash, no `/db/<label>` prefix, no repeated and no trailing slashes, no query. */
  readonly path: string;
  /** The query with its question mark, or ''. */
  readonly query: string;
  /** The `<database>-<organization>` of a `/db/…` prefix. */
  readonly label: string | undefined;
  /** Host and port of a target in absolute form, which replaces the Host header (RFC 9112, 3.2.2). */
  readonly authority: string | undefined;
}

const absoluteForm = /^https?:\/\/([^/?#]*)/i;
const databasePrefix = '/db/';

/** Takes a request target apart; never throws, whatever a client sends. */
export function parseRequestTarget(target: string): RequestTarget {
  let path = target;
  let authority: string | undefined;
  if (!target.startsWith('/')) {
    const match = absoluteForm.exec(target);
    if (match) {
      authority = match[1];
      path = target.slice(match[0].length);
      if (!path.startsWith('/')) path = `/${path}`;
    }
  }
  let query = '';
  const question = path.indexOf('?');
  if (question >= 0) {
    query = path.slice(question);
    path = path.slice(0, question);
  }
  if (path.includes('//')) path = path.replace(/\/{2,}/g, '/');
  let label: string | undefined;
  if (path.startsWith(databasePrefix)) {
    const end = path.indexOf('/', databasePrefix.length);
    label = path.slice(databasePrefix.length, end < 0 ? undefined : end);
    path = end < 0 ? '/' : path.slice(end);
  }
  if (path.length > 1 && path.endsWith('/')) path = path.slice(0, -1);
  return { path, query, label, authority };
}

/**
 * The database that a request is for: the path prefix wins over the first label of the host. Undefined when neither
 * names one. `X-Forwarded-Host` is not looked at: any client can send it.
 */
export function databaseAddress(target: RequestTarget, host: string | undefined): DatabaseAddress | undefined {
  if (target.label !== undefined) return parseHostLabel(target.label);
  const authority = target.authority ?? host;
  if (authority === undefined) return undefined;
  const dot = authority.indexOf('.');
  return dot < 1 ? undefined : parseHostLabel(authority.slice(0, dot).toLowerCase());
}
