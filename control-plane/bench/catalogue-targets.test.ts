import { catalogueTargets, type CatalogueFigures } from './catalogue-targets.js';

const mebibytes = (dataNode: number): CatalogueFigures['memory'][number]['residentMiB'] => ({
  controlPlane: 150,
  dataNode,
  engines: 90,
});
const figures: CatalogueFigures = {
  createsPerSecond: 301,
  commitWindowMs: 10,
  createMsAtHalfRate: { p50: 24 },
  storeWriteMsAtHalfRate: 4.5,
  storeRequestsPerCreation: { 'put names': 1, 'put manifests': 1.01, 'get names': 1 },
  pageOf1000Ms: { p99: 101 },
  retrieveMs: { p99: 3 },
  memory: [
    { databases: 200, residentMiB: mebibytes(20) },
    { databases: 10_000, residentMiB: mebibytes(200) },
    { databases: 20_000, residentMiB: mebibytes(265) },
  ],
};

test('a creation may take the window, two writes to the store and a little', () => {
  const missed = catalogueTargets(figures).filter(({ met }) => !met);
  expect(missed.map(({ name }) => name)).toEqual(['page of 1,000 p99', 'data node, growth in the second half']);
  const slow = catalogueTargets({ ...figures, createMsAtHalfRate: { p50: 24.1 } });
  expect(slow.find(({ name }) => name === 'creation p50 at half the rate')).toMatchObject({ bound: 24, met: false });
});
