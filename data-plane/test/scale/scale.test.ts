import { readFileSync } from 'node:fs';
import { extrapolate } from './extrapolation.js';
import { fleetFigures, type FleetFigures } from './fleet-figures.js';
import { fleetRun } from './fleet-run.js';
import type { Fleet } from './fleets.js';
import { measuredFigures } from './measured-figures.js';
import { placementRun } from './placement-run.js';
import { scalePage, scalePlots } from './scale-page.js';
import { defects, type ScaleResult } from './scale-result.js';

/** A node for each zone and two more, so that nodes are lost beside nodes that stay. */
const fleet: Fleet = { name: 'test', nodes: 5, databases: 1_000, openPart: 0.1 };
const measured = measuredFigures('.');
let figures: FleetFigures;

beforeAll(async () => {
  const run = await fleetRun(fleet, { seed: 3, steadySeconds: 10, mostDatabases: 100, onProgress: () => undefined });
  figures = fleetFigures(fleet, run, placementRun(fleet, 1_000), measured);
});

const result = (): ScaleResult => ({
  seed: 3,
  measured: measured,
  fleets: [figures],
  growth: extrapolate(figures),
});

describe('a fleet that loses a zone', () => {
  test('has everything that was acknowledged, and every database answers within two leases', () => {
    expect(figures.run.simulatedDatabases).toBe(100);
    expect(figures.run.loss.lostNodes).toBe(2);
    expect(figures.run.loss.moved.databases).toBeGreaterThan(10);
    expect(figures.run.loss.moved.databases + figures.run.loss.stayed.databases).toBe(100);
    expect(figures.run.loss.moved.maxMs).toBeLessThan(4_000);
    expect(defects(result())).toEqual([]);
  });

  test('asks for its manifests seldom while nobody can have taken the databases over', () => {
    const manifests = figures.run.loss.load.find(({ prefix }) => prefix === 'manifests');
    const seconds = figures.run.loss.moved.maxMs / 1_000;
    expect(((manifests?.readsPerSecond ?? Infinity) * seconds) / figures.run.loss.moved.databases).toBeLessThan(22);
  });

  test('moves the databases of the lost nodes only', () => {
    expect(figures.placement.movedWithoutReason).toBe(0);
    expect(figures.placement.movedPart).toBeCloseTo(2 / 5, 1);
  });

  test('logs in three zones alike, and renews a lease twice a second for each node', () => {
    const writes = (store: string, prefix: string): number =>
      figures.run.steady.find((load) => load.store === store && load.prefix === prefix)?.writesPerSecond ?? 0;
    expect(writes('data', 'nodes')).toBeCloseTo(10, 0);
    expect(writes('log-1', 'log')).toBeGreaterThan(0.5);
    expect(writes('log-2', 'log')).toBeCloseTo(writes('log-1', 'log'), 5);
  });
});

describe('the extrapolation', () => {
  test('finds the number of nodes at which a load meets its limit', () => {
    for (const { points, limit, mostNodes, what } of extrapolate(figures)) {
      const below = points.filter(({ x }) => x <= mostNodes);
      const above = points.filter(({ x }) => x > mostNodes);
      expect([what, ...below.map(({ y }) => y <= limit), ...above.map(({ y }) => y > limit)]).toEqual([
        what,
        ...points.map(() => true),
      ]);
    }
  });

  test('is told on a page with plots', () => {
    const page = scalePage(result(), 'docs/runs/scale.json', 'npm run scale');
    for (const { name, svg } of scalePlots(result())) {
      expect(page).toContain(`plots/${name}`);
      expect(svg).toContain('<polyline');
      expect(svg).not.toContain('NaN');
    }
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
  });
});

test('the kept result has nothing wrong in it, and is of a million databases and a hundred nodes', () => {
  const kept = JSON.parse(readFileSync('docs/runs/scale.json', 'utf8')) as ScaleResult;
  expect(defects(kept)).toEqual([]);
  expect(kept.fleets.map(({ fleet: { nodes, databases } }) => [nodes, databases])).toContainEqual([100, 1_000_000]);
});
