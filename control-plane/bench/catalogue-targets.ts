/** What a run of the catalogue benchmark is held against. */
import { target } from '@turso-byoc/data-plane/bench/report/figures.js';
import type { Target } from '@turso-byoc/data-plane/bench/report/report.js';
import type { Usage } from './processes.js';

export interface CatalogueFigures {
  readonly createsPerSecond: number;
  readonly commitWindowMs: number;
  readonly createMsAtHalfRate: { readonly p50: number };
  /** Mean time of a write to the store while databases were created at half the rate. */
  readonly storeWriteMsAtHalfRate: number;
  readonly storeRequestsPerCreation: Readonly<Record<string, number>>;
  readonly pageOf1000Ms: { readonly p99: number };
  readonly retrieveMs: { readonly p99: number };
  /** Resident memory as the number of databases grew; two looks at least. */
  readonly memory: readonly { readonly databases: number; readonly residentMiB: Usage }[];
}

/** What a creation may take beside the commit window and two writes to the store. */
const overheadMs = 5;
/** Two writes and a look at the name, and what a creation has of requests that many share. */
const mostRequestsPerCreation = 4;
/** What a process may grow while the number of databases doubles: less than 64 bytes for each of a million. */
const mostGrowthMiB = 64;

export function catalogueTargets(figures: CatalogueFigures): Target[] {
  const { commitWindowMs, storeWriteMsAtHalfRate, createMsAtHalfRate, memory } = figures;
  const bytes = (mebibytes: number): number => mebibytes * 1_048_576;
  const middle = memory[Math.floor(memory.length / 2)];
  const last = memory.at(-1);
  const grown = (process: keyof Usage): number =>
    bytes((last?.residentMiB[process] ?? Number.NaN) - (middle?.residentMiB[process] ?? Number.NaN));
  const requests = Object.values(figures.storeRequestsPerCreation).reduce((sum, each) => sum + each, 0);
  return [
    target('creations', '/s', figures.createsPerSecond, 'at least', 300),
    target(
      'creation p50 at half the rate',
      'ms',
      createMsAtHalfRate.p50,
      'at most',
      commitWindowMs + 2 * storeWriteMsAtHalfRate + overheadMs,
    ),
    target('store requests per creation', 'count', requests, 'at most', mostRequestsPerCreation),
    target('page of 1,000 p99', 'ms', figures.pageOf1000Ms.p99, 'at most', 100),
    target('retrieval p99', 'ms', figures.retrieveMs.p99, 'at most', 20),
    target('control plane, growth in the second half', 'bytes', grown('controlPlane'), 'at most', bytes(mostGrowthMiB)),
    target('data node, growth in the second half', 'bytes', grown('dataNode'), 'at most', bytes(mostGrowthMiB)),
  ];
}
