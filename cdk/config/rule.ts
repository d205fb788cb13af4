import type { ResolvedConfiguration } from './deployment-configuration.js';

/** Something that is wrong with a configuration. */
export interface Problem {
  /** Stable; docs/configuration.md lists them. */
  readonly code: string;
  /** Where, as in `dataNodes.minimum`; empty for the whole configuration. */
  readonly path: string;
  /** What is wrong, then what to do. */
  readonly message: string;
}

/** One relation between fields that the schema cannot express. It sees a configuration that fits the schema, defaults included. */
export interface Rule {
  readonly code: string;
  /** What it demands, one sentence, for the documentation. */
  readonly demands: string;
  /** Where it is broken: a path and a sentence each; none = it is kept. */
  readonly broken: (configuration: ResolvedConfiguration) => readonly Breach[];
}

export interface Breach {
  readonly path: string;
  readonly message: string;
}

/** One breach, or none. */
export function when(broken: boolean, path: string, message: string): readonly Breach[] {
  return broken ? [{ path, message }] : [];
}
