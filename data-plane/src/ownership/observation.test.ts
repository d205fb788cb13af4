import { epochA } from '../../test/storage/sample-database.js';
import type { ETag } from '../object-store/object-store.js';
import type { VersionedNodeRecord } from './node-record.js';
import { Observation } from './observation.js';

const version = (number: number): VersionedNodeRecord => ({
  record: {
    version: number,
    epoch: epochA,
    state: 'live',
    startedAtMs: 0,
    lowWaterPosition: 0,
    packs: [],
    formatLevel: 1,
  },
  etag: `e${number}` as ETag,
});

describe('observation of a node record', () => {
  it('counts from the answer that showed the record first', () => {
    const observation = new Observation(1_000);
    observation.answered(version(1), 100);
    expect(observation.unchangedMs).toBe(0);
    observation.answered(version(1), 600);
    observation.answered(version(1), 1_100);
    expect(observation.unchangedMs).toBe(1_000);
    observation.answered(version(2), 1_600);
    expect(observation.unchangedMs).toBe(0);
  });

  it('does not count the time around a read that failed', () => {
    const observation = new Observation(1_000);
    observation.answered(version(1), 0);
    observation.answered(version(1), 500);
    observation.failed();
    observation.answered(version(1), 900);
    expect(observation.unchangedMs).toBe(500);
    observation.answered(version(1), 1_400);
    expect(observation.unchangedMs).toBe(1_000);
  });

  it('does not count time in which the observer stood still', () => {
    const observation = new Observation(1_000);
    observation.answered(version(1), 0);
    observation.answered(version(1), 60_000);
    expect(observation.unchangedMs).toBe(1_000);
  });

  it('starts anew when somebody else was faster', () => {
    const observation = new Observation(1_000);
    observation.answered(version(1), 0);
    observation.answered(version(1), 500);
    observation.startAnew();
    expect(observation.unchangedMs).toBe(0);
    observation.answered(version(1), 700);
    expect(observation.unchangedMs).toBe(0);
  });
});
