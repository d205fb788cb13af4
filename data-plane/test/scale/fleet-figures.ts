/** What follows for a whole fleet from what was simulated and measured: load of the stores, memory, CPU, cost of a month. */
import { measuredCommits, openRequests } from '@turso-byoc/cdk/cost/measured-requests.js';
import { prices } from '@turso-byoc/cdk/cost/prices-2026-11.js';
import type { FleetRunResult } from './fleet-run.js';
import {
  openDatabases,
  opensPerOpenDatabaseAndMinute,
  readsPerOpenDatabaseAndMinute,
  storedBytesPerDatabase,
  writesPerOpenDatabaseAndMinute,
  zones,
  type Fleet,
} from './fleets.js';
import type { MeasuredFigures } from './measured-figures.js';
import type { PlacementResult } from './placement-run.js';
import { secondsPerMonth } from './published-limits.js';
import type { PrefixLoad } from './request-meter.js';

export const instanceType = 'm7gd.2xlarge';
/** Of a node that serves nothing: its processes, and what it may keep of the log in memory. See docs/limits.md. */
const idleBytes = { ioProcess: 150e6, engineProcess: 55e6, engineProcesses: 9, recentLog: 64 * 2 ** 20 };
const gib = 2 ** 30;

export interface NodeFigures {
  readonly openDatabases: number;
  readonly memoryBytes: number;
  readonly coresInUse: number;
}

export interface CostLine {
  readonly what: string;
  readonly dollars: number;
}

/** Load of one prefix against what one partition, or one bucket, is said to bear. */
export interface PrefixFigures extends PrefixLoad {
  /** Deletions included; in the busiest second of the steady minute, or of the loss of a zone with all databases. */
  readonly worstWrites: number;
  readonly worstReads: number;
}

/** A node of the fleet, as many databases open as the mean has, or the fullest of those that stay when a zone is lost. */
export function nodeFigures(fleet: Fleet, fill: number, measured: MeasuredFigures): NodeFigures {
  const open = (openDatabases(fleet) / fleet.nodes) * fill;
  const { ioProcess, engineProcess, engineProcesses, recentLog } = idleBytes;
  const perSecond = open / 60;
  return {
    openDatabases: Math.round(open),
    memoryBytes: ioProcess + engineProcess * engineProcesses + recentLog + open * measured.bytesPerOpenDatabase,
    coresInUse:
      (perSecond *
        (writesPerOpenDatabaseAndMinute * measured.cpuMsPerWrite +
          readsPerOpenDatabaseAndMinute * measured.cpuMsPerRead)) /
      1_000,
  };
}

/** Prefixes of both phases; what the loss of a zone asked is multiplied where fewer databases were there than are open. */
export function prefixFigures(fleet: Fleet, run: FleetRunResult): PrefixFigures[] {
  const factor = openDatabases(fleet) / run.simulatedDatabases;
  const none = {
    writesPerSecond: 0,
    deletesPerSecond: 0,
    readsPerSecond: 0,
    listsPerSecond: 0,
    peakWrites: 0,
    peakReads: 0,
  };
  const names = new Set([...run.steady, ...run.loss.load].map(({ store, prefix }) => `${store} ${prefix}`));
  return [...names].map((name): PrefixFigures => {
    const [store = '', prefix = ''] = name.split(' ');
    const isIt = (load: PrefixLoad): boolean => load.store === store && load.prefix === prefix;
    const steady = run.steady.find(isIt) ?? { store, prefix, ...none };
    const loss = run.loss.load.find(isIt) ?? { store, prefix, ...none };
    // What nodes do whatever they serve does not grow with the databases; nor do log objects, of which a window has one.
    const grows = ['manifests', 'names', 'objects', 'packs'].includes(prefix) ? factor : 1;
    const growsRead = prefix.startsWith('log') ? factor : grows;
    return {
      ...steady,
      worstWrites: Math.max(steady.peakWrites, loss.peakWrites * grows),
      worstReads: Math.max(steady.peakReads, loss.peakReads * growsRead),
    };
  });
}

export function monthlyCost(fleet: Fleet, run: FleetRunResult): CostLine[] {
  const { standard, express } = prices;
  const open = openDatabases(fleet);
  const commits = (open * writesPerOpenDatabaseAndMinute * secondsPerMonth) / 60;
  const opens = (open * opensPerOpenDatabaseAndMinute * secondsPerMonth) / 60;
  const of = (matches: (load: PrefixLoad) => boolean, what: (load: PrefixLoad) => number): number =>
    run.steady.filter(matches).reduce((sum, load) => sum + what(load), 0) * secondsPerMonth;
  const logWrites = of(
    ({ store }) => store !== 'data',
    ({ writesPerSecond }) => writesPerSecond,
  );
  const upkeep = ({ store, prefix }: PrefixLoad): boolean =>
    store === 'data' && ['nodes', 'members', 'format-level', 'logs', 'recoveries'].includes(prefix);
  const beside = measuredCommits[0]?.express ?? { otherWrites: 0, otherReads: 0 };
  const sweptManifests = (fleet.databases * fleet.nodes * secondsPerMonth) / 86_400;
  const instance = prices.instances[instanceType];
  if (!instance) throw new Error(`${instanceType} has no price`);
  return [
    { what: `${fleet.nodes} instances ${instanceType}`, dollars: fleet.nodes * instance.hour * prices.hoursPerMonth },
    {
      what: 'commits: log objects in three zones',
      dollars: logWrites * express.write + ((commits * 4_500 * zones) / gib) * express.uploadedGib,
    },
    {
      what: 'commits: packs, segments, archives, manifests',
      dollars: commits * (beside.otherWrites * standard.write + beside.otherReads * standard.read),
    },
    {
      what: 'leases, and looking for other nodes',
      dollars:
        of(upkeep, ({ writesPerSecond, listsPerSecond }) => writesPerSecond + listsPerSecond) * standard.write +
        of(upkeep, ({ readsPerSecond }) => readsPerSecond) * standard.read,
    },
    {
      what: 'opens of databases, and their keys',
      dollars:
        opens *
        (openRequests.reads * standard.read +
          openRequests.writes * standard.write +
          openRequests.unwraps * prices.kmsRequest),
    },
    { what: 'looking for garbage once a day', dollars: sweptManifests * standard.read },
    { what: 'storage', dollars: ((fleet.databases * storedBytesPerDatabase) / gib) * standard.gibMonth },
  ];
}

/** Everything that is known of one fleet. */
export interface FleetFigures {
  readonly fleet: Fleet;
  readonly run: FleetRunResult;
  readonly placement: PlacementResult;
  readonly mean: NodeFigures;
  readonly fullestAfterLoss: NodeFigures;
  readonly prefixes: readonly PrefixFigures[];
  readonly cost: readonly CostLine[];
  readonly dollarsPerDatabase: number;
}

export function fleetFigures(
  fleet: Fleet,
  run: FleetRunResult,
  placement: PlacementResult,
  measured: MeasuredFigures,
): FleetFigures {
  const cost = monthlyCost(fleet, run);
  return {
    fleet,
    run,
    placement,
    mean: nodeFigures(fleet, 1, measured),
    fullestAfterLoss: nodeFigures(fleet, placement.fullestOfMeanAfterLoss, measured),
    prefixes: prefixFigures(fleet, run),
    cost,
    dollarsPerDatabase: cost.reduce((sum, { dollars }) => sum + dollars, 0) / fleet.databases,
  };
}
