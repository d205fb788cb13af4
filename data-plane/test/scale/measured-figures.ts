/** Figures of the benchmarks that the arithmetic begins with, from the results file that `npm run bench` wrote. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const benchmarkFile = 'docs/benchmarks/local.json';

interface BenchmarkResult {
  readonly case: string;
  readonly parameters: Readonly<Record<string, string | number>>;
  readonly figures: readonly { readonly name: string; readonly value: number }[];
}

export interface MeasuredFigures {
  /** Private memory of all processes of a node for one open database, and for one that was open once. */
  readonly bytesPerOpenDatabase: number;
  readonly bytesPerClosedDatabase: number;
  /** CPU time of all processes of a node, at 32 connections and 64 databases. */
  readonly cpuMsPerWrite: number;
  readonly cpuMsPerRead: number;
  /** Of one core, for the recovery of the log of a node with 50,000 open databases. */
  readonly recoveryOf50000Ms: number;
}

/** `repository`: its directory. Throws when the file lacks a figure. */
export function measuredFigures(repository: string): MeasuredFigures {
  const { results } = JSON.parse(readFileSync(join(repository, benchmarkFile), 'utf8')) as {
    results: readonly BenchmarkResult[];
  };
  const figure = (name: string, parameters: BenchmarkResult['parameters'], value: string): number => {
    const found = results
      .find(
        (result) =>
          result.case === name &&
          Object.entries(parameters).every(([key, wanted]) => result.parameters[key] === wanted),
      )
      ?.figures.find((one) => one.name === value);
    if (!found) throw new Error(`${benchmarkFile} has no figure "${value}" of ${name} ${JSON.stringify(parameters)}`);
    return found.value;
  };
  const libsql = { engine: 'libsql', 'huge pages': 'off' };
  const busy = { connections: 32, databases: 64 };
  return {
    bytesPerOpenDatabase: figure('memory', { ...libsql, state: 'open' }, 'private'),
    bytesPerClosedDatabase: figure('memory', { ...libsql, state: 'closed' }, 'private'),
    cpuMsPerWrite: figure('insert', busy, 'node CPU each'),
    cpuMsPerRead: figure('point-select', busy, 'node CPU each'),
    recoveryOf50000Ms: figure('recovery', {}, 'all claimable after'),
  };
}
