/** What one run of the benchmarks found out; the content of a results file. */
export interface Report {
  readonly format: 'turso-byoc/benchmark/1';
  /** ISO 8601. */
  readonly startedAt: string;
  readonly durationSeconds: number;
  readonly commit: Commit;
  readonly machine: Machine;
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  readonly results: readonly Result[];
  readonly targets: readonly Target[];
}

export interface Commit {
  /** Full hash, or `unknown` outside of a repository. */
  readonly hash: string;
  /** Files differed from that commit. */
  readonly dirty: boolean;
}

export interface Machine {
  readonly cpuModel: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  /** Type of the file system that holds the stores and the cache. */
  readonly fileSystem: string;
  /** Time to append 4 KiB to a file there and make it durable. */
  readonly fsyncP50Ms: number;
  readonly fsyncP99Ms: number;
  /** State of transparent huge pages, as the kernel names it. */
  readonly hugePages: string;
}

/** Figures of one combination of parameters. */
export interface Result {
  /** Name of the case, as `--only` takes it. */
  readonly case: string;
  readonly parameters: Readonly<Record<string, string | number>>;
  readonly figures: readonly Figure[];
}

export type Unit = '/s' | 'ms' | 'ratio' | 'cores' | 'bytes' | 'count' | 'USD';

export interface Figure {
  readonly name: string;
  readonly unit: Unit;
  /** The median of the samples unless the name says something else. */
  readonly value: number;
  /** What the value was made of, in order of measurement. */
  readonly samples: readonly number[];
}

export interface Target {
  readonly name: string;
  readonly value: number;
  readonly unit: Unit;
  readonly comparison: 'at least' | 'at most';
  readonly bound: number;
  readonly met: boolean;
}
