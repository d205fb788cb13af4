/** Bounds on what the gate reads; they keep a hostile text from costing more than a bounded amount of time and memory. */
export interface GateLimits {
  /** Longest text given to the gate in one piece, in UTF-8 bytes. */
  readonly maxSqlBytes: number;
  /** Deepest nesting of parentheses. The Turso engine dies of about a thousand nested sub-selects. */
  readonly maxDepth: number;
  /** Most UNION, INTERSECT and EXCEPT in one statement; SQLite's own limit, which the Turso engine lacks. */
  readonly maxCompoundArms: number;
  /** Highest parameter number; SQLite's own limit, which the Turso engine lacks. */
  readonly maxParameters: number;
  /** Most bytes of plans kept for one database. */
  readonly maxCacheBytes: number;
  /** Plans of longer texts are not kept, in UTF-16 code units. */
  readonly maxCachedSqlLength: number;
}

export const defaultGateLimits: GateLimits = {
  maxSqlBytes: 32 * 1024 * 1024,
  maxDepth: 200,
  maxCompoundArms: 500,
  maxParameters: 32_766,
  maxCacheBytes: 64 * 1024,
  maxCachedSqlLength: 4096,
};
