/** One attempt to reach beyond a database through SQL, or to hurt the process that runs it. */
export interface HostileCase {
  readonly name: string;
  readonly engine: 'libsql' | 'tursodb' | 'both';
  /**
   * Statements that a client could send before; they pass the gate. A case whose setup fails proves nothing, so it fails.
   */
  readonly setup?: readonly string[];
  /** Statements that never pass the gate but can be part of a file that somebody else wrote; run without the gate. */
  readonly planted?: readonly string[];
  /** The attack. Of several statements the last one is the one that matters. */
  readonly sql: string | readonly string[];
  /**
   * `refused`: the last statement must fail with a clear error before it executes. `contained`: it may run, because the worst
   * it can do is cost one engine process.
   */
  readonly expectation: 'refused' | 'contained';
}

/** Placeholders in the texts: a file that exists outside the database, its folder, and a file that must not come to exist. */
export interface HostilePaths {
  readonly marker: string;
  readonly folder: string;
  readonly fresh: string;
}

/** The case with `{marker}`, `{folder}` and `{fresh}` replaced. */
export function withPaths(hostile: HostileCase, paths: HostilePaths): HostileCase {
  const fill = (text: string): string =>
    text.replaceAll('{marker}', paths.marker).replaceAll('{folder}', paths.folder).replaceAll('{fresh}', paths.fresh);
  return {
    ...hostile,
    ...(hostile.setup === undefined ? {} : { setup: hostile.setup.map(fill) }),
    ...(hostile.planted === undefined ? {} : { planted: hostile.planted.map(fill) }),
    sql: typeof hostile.sql === 'string' ? fill(hostile.sql) : hostile.sql.map(fill),
  };
}
