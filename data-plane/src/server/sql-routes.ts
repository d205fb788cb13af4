import type { RequestKind } from '../engine/ipc/messages.js';

/** The SQL routes, all of them POST. */
export const sqlRoutes: readonly (readonly [path: string, kind: RequestKind])[] = [
  ['/v2/pipeline', 'v2-pipeline'],
  ['/v3/pipeline', 'v3-pipeline'],
  ['/v3/cursor', 'v3-cursor'],
];

const paths = new Map(sqlRoutes.map(([path, kind]) => [kind, path]));

export function sqlPath(kind: RequestKind): string {
  const path = paths.get(kind);
  if (path === undefined) throw new RangeError(`no route serves ${kind}`);
  return path;
}
