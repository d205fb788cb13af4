import { testSeeds } from '../seeded-random.js';
import { clusterRun } from './cluster-run.js';

// A small budget, and a lease and a drain so long that a slow machine does not matter; `npm run cluster-test` has the full one.
describe('several nodes under load', () => {
  it.each(testSeeds(1))(
    'lose, tear and show nothing wrong when one is killed, asked to stop, or stands still (seed %d)',
    async (seed) => {
      const result = await clusterRun({
        seed,
        nodes: 3,
        store: 'file',
        databases: 6,
        pauseMs: 100,
        // An interactive transaction has five seconds, whatever the machine; the command has them, and several-nodes.test.ts.
        interactiveEvery: Number.MAX_SAFE_INTEGER,
        blows: ['SIGTERM', 'SIGKILL', 'SIGSTOP'],
        everyMs: 0,
        storeOutageMs: 0,
        commitWindowMs: 5,
        beatMs: 500,
        leaseMs: 6_000,
        drainDelayMs: 3_000,
        engineProcesses: 1,
      });
      const { violations, unanswered, unexpectedEnds, acknowledged, episodes, errors } = result;
      expect({ violations, unanswered, unexpectedEnds }).toEqual({
        violations: [],
        unanswered: [],
        unexpectedEnds: [],
      });
      expect(acknowledged).toBeGreaterThan(0);
      const [terminated, killed, frozen] = episodes;
      const seen = errors.slice(0, terminated?.clientErrors);
      expect({ ...terminated, seen }).toMatchObject({
        kind: 'SIGTERM',
        seen: [],
        clientErrors: 0,
        end: { exitCode: 0 },
      });
      expect(killed?.answeredAfterMs.every(Number.isFinite)).toBe(true);
      expect(frozen).toMatchObject({ kind: 'SIGSTOP', late: { acknowledged: 0 }, end: { exitCode: 70 } });
    },
    300_000,
  );
});
