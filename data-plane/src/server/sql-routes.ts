import type { DatabaseRequestKind } from '../database/database-service.js';

/** The routes below a database that take a body, all of them POST. */
export const sqlRoutes: readonly (readonly [path: string, kind: DatabaseRequestKind])[] = [
  ['/v2/pipeline', 'v2-pipeline'],
  ['/v3/pipeline', 'v3-pipeline'],
  ['/v3/cursor', 'v3-cursor'],
  ['/v3-protobuf/pipeline', 'v3-protobuf-pipeline'],
  ['/v3-protobuf/cursor', 'v3-protobuf-cursor'],
  ['/v1/execute', 'v1-execute'],
  ['/v1/batch', 'v1-batch'],
  ['/dump', 'dump'],
  ['/pull-updates', 'pull-updates'],
];

const paths = new Map(sqlRoutes.map(([path, kind]) => [kind, path]));

export function sqlPath(kind: DatabaseRequestKind): string {
  const path = paths.get(kind);
  if (path === undefined) throw new RangeError(`no route serves ${kind}`);
  return path;
}

/**
 * The content type of a successful answer. The Hrana specification names no type for a cursor's lines and no official client
 * looks at it; this is what the open-source server sends.
 */
export function answerType(kind: DatabaseRequestKind, isStreamed: boolean): string {
  if (kind === 'v3-protobuf-pipeline' || kind === 'v3-protobuf-cursor') return 'application/x-protobuf';
  if (kind === 'pull-updates') return 'application/protobuf';
  if (kind === 'dump') return 'text/plain';
  return isStreamed ? 'text/plain' : 'application/json';
}
