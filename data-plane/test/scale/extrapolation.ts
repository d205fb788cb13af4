/**
 * Where one fleet ends when it grows in step, nodes and databases alike, from the largest one that was simulated, and what
 * answers it. Every line is a load as a function of the nodes; what each node does by itself was counted in the simulation.
 */
import { openRequests } from '@turso-byoc/cdk/cost/measured-requests.js';
import type { FleetFigures } from './fleet-figures.js';
import { openDatabases, opensPerOpenDatabaseAndMinute } from './fleets.js';
import { expressBucket, kmsRequestsPerSecond, namesPerListing, standardPrefix } from './published-limits.js';

export interface Growth {
  readonly what: string;
  readonly unit: string;
  readonly limit: number;
  /** Whether S3 can split what is asked over more partitions, so that the limit is of each of these. */
  readonly splits: boolean;
  readonly answer: string;
  readonly now: number;
  readonly at100Million: number;
  /** The most nodes for which the load stays below the limit. */
  readonly mostNodes: number;
  /** The load for a number of nodes: for plots. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

interface Line {
  readonly what: string;
  readonly unit: string;
  readonly limit: number;
  readonly splits: boolean;
  readonly answer: string;
  readonly load: (nodes: number) => number;
}

const plottedNodes = [3, 10, 30, 100, 300, 1_000, 3_000, 10_000];
/** Milliseconds of one core that a request may wait for the choice of its node. */
const mostPlacementMs = 1;

export function extrapolate(figures: FleetFigures): Growth[] {
  const { fleet, run, placement } = figures;
  const perNode = (
    prefix: string,
    of: 'writesPerSecond' | 'readsPerSecond' | 'listsPerSecond',
    store = 'data',
  ): number =>
    run.steady
      .filter((load) => load.prefix === prefix && load.store === store)
      .reduce((sum, load) => sum + load[of], 0) / fleet.nodes;
  const databasesPerNode = fleet.databases / fleet.nodes;
  const opensPerNode = (openDatabases(fleet) / fleet.nodes) * (opensPerOpenDatabaseAndMinute / 60);
  const worst = (prefix: string): number =>
    figures.prefixes
      .filter((load) => load.prefix === prefix)
      .reduce((most, load) => Math.max(most, load.worstReads), 0);
  const cells = 'fleets of 100 nodes beside each other (see below): each has stores of its own';
  const lines: Line[] = [
    {
      what: 'leases, written below `nodes/`',
      unit: 'writes/s',
      limit: standardPrefix.writesPerSecond,
      splits: true,
      answer: 'epochs are random, so S3 can split the prefix; a longer beat halves it',
      load: (nodes) => nodes * perNode('nodes', 'writesPerSecond'),
    },
    {
      what: 'records of other nodes, read below `nodes/`',
      unit: 'reads/s',
      limit: standardPrefix.readsPerSecond,
      splits: true,
      answer:
        'as above; a node of a large fleet reads more of them than one of a small fleet, so this line is too low beyond it',
      load: (nodes) => nodes * perNode('nodes', 'readsPerSecond'),
    },
    {
      what: 'listings of `members/`',
      unit: 'reads/s',
      limit: standardPrefix.readsPerSecond,
      splits: false,
      answer: `grows with the square beyond ${namesPerListing} nodes; ${cells}`,
      load: (nodes) => nodes * perNode('members', 'listsPerSecond') * Math.ceil(nodes / namesPerListing),
    },
    {
      what: 'reads of the one object `format-level`',
      unit: 'reads/s',
      limit: standardPrefix.readsPerSecond,
      splits: false,
      answer: cells,
      load: (nodes) => nodes * perNode('format-level', 'readsPerSecond'),
    },
    {
      what: 'looking for garbage: every node reads every manifest once a day',
      unit: 'reads/s',
      limit: standardPrefix.readsPerSecond,
      splits: true,
      answer: `grows with the square; ${cells}; within one, \`TURSO_BYOC_COLLECT_HOURS\``,
      load: (nodes) => (nodes * nodes * databasesPerNode) / 86_400,
    },
    {
      what: 'opens of databases: `manifests/` and `objects/`',
      unit: 'reads/s',
      limit: standardPrefix.readsPerSecond,
      splits: true,
      answer: 'names begin with a hash, so S3 can split the prefix',
      load: (nodes) => nodes * opensPerNode * openRequests.reads,
    },
    {
      what: 'a zone is lost: `manifests/`, in the worst second',
      unit: 'reads/s',
      limit: standardPrefix.readsPerSecond,
      splits: true,
      answer:
        'S3 answers 503 until it has split the prefix, and nodes ask again: a bucket that has had such a load keeps its partitions',
      load: (nodes) => (nodes / fleet.nodes) * worst('manifests'),
    },
    {
      what: 'log objects in one zone',
      unit: 'writes/s',
      limit: expressBucket.writesPerSecond,
      splits: false,
      answer: 'a bucket for the log of each fleet',
      load: (nodes) =>
        nodes * perNode('log', 'writesPerSecond', run.steady.find(({ store }) => store !== 'data')?.store),
    },
    {
      what: 'a zone is lost: data keys unwrapped, all within five seconds',
      unit: 'requests/s',
      limit: kmsRequestsPerSecond,
      splits: false,
      answer: 'a higher quota, or accounts for fleets; nodes wait and ask again',
      load: (nodes) => (nodes * (openDatabases(fleet) / fleet.nodes) * placement.movedPart) / 5,
    },
    {
      what: 'choosing the node of a database that nobody owns',
      unit: 'ms of a core',
      limit: mostPlacementMs,
      splits: false,
      answer: 'grows with the nodes; fleets beside each other',
      load: (nodes) => (nodes / fleet.nodes) * (placement.microsecondsEach / 1_000),
    },
  ];
  const nodesFor100Million = (100_000_000 / fleet.databases) * fleet.nodes;
  return lines.map(({ load, ...line }) => ({
    ...line,
    now: load(fleet.nodes),
    at100Million: load(nodesFor100Million),
    mostNodes: mostNodes(load, line.limit),
    points: plottedNodes.map((nodes) => ({ x: nodes, y: load(nodes) })).filter(({ y }) => y > 0),
  }));
}

/** By halving: every load rises with the nodes. */
function mostNodes(load: (nodes: number) => number, limit: number): number {
  let [low, high] = [0, 100_000_000];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (load(middle) <= limit) low = middle;
    else high = middle;
  }
  return low;
}
