import { databaseA as id, epochA as owner, epochC as own } from '../../test/storage/sample-database.js';
import { ByocError } from '../errors/catalogue.js';
import type { ShapedCosts } from '../engine/ipc/shaped-costs.js';
import { Locator } from '../ownership/locator.js';
import type { Manifest } from '../storage/manifest.js';
import type { NodeDatabases } from './node-databases.js';
import { PeerUnreachableError, type Peers } from './peers.js';
import { RoutedDatabases } from './routed-databases.js';

const costs: ShapedCosts[] = [{ shape: 'SELECT ?', count: 1, rowsRead: 1, rowsWritten: 0 }];

/** This node beside the owner of a database, of which it hears nothing for `silentTimes` questions. */
function beside(
  answers: (() => ShapedCosts[])[],
  silentTimes = 0,
): { databases: RoutedDatabases; asked: () => number } {
  let nowMs = 0;
  let asked = 0;
  let silent = silentTimes;
  const runtime = {
    monotonicMs: () => nowMs,
    randomFraction: () => 0.5,
    sleep: async (ms: number) => {
      nowMs += ms;
      return Promise.resolve();
    },
  };
  const locator = new Locator({
    runtime,
    own,
    manifests: {
      readAgain: async () => Promise.resolve({ manifest: { id, owner } as Manifest, etag: 'etag' as never }),
    },
    watch: {
      address: () => (silent > 0 ? undefined : { host: 'owner', httpPort: 1, adminPort: 2 }),
      isSilent: () => true,
      candidates: () => [owner],
      suspect: async (_epoch, ms) => {
        silent -= 1;
        return runtime.sleep(Math.min(ms, 100));
      },
      failure: () => undefined,
    },
    ended: { isKnown: () => false, find: async () => Promise.resolve(undefined) },
    takesDatabases: () => true,
    maxRemembered: 2,
  });
  const peers: Pick<Peers, 'topStatements'> = {
    topStatements: async () => {
      const answer = answers[Math.min(asked++, answers.length - 1)] as () => ShapedCosts[];
      return Promise.resolve().then(answer);
    },
  };
  const local: Pick<NodeDatabases, 'isOpen' | 'topStatements'> = {
    isOpen: () => false,
    topStatements: async () => Promise.resolve([]),
  };
  const databases = new RoutedDatabases({
    runtime: runtime as never,
    local: local as never,
    locator,
    peers: peers as never,
    routeTimeoutMs: 5_000,
  });
  return { databases, asked: () => asked };
}

const refuse = (error: Error) => (): never => {
  throw error;
};

describe('the statements that cost most', () => {
  it('are asked of an owner that was silent for a while', async () => {
    expect(await beside([() => costs], 3).databases.topStatements(id, 0)).toEqual(costs);
  });

  it('are asked again of an owner that could not be reached', async () => {
    const { databases, asked } = beside([refuse(new PeerUnreachableError('refused')), () => costs]);
    expect(await databases.topStatements(id, 0)).toEqual(costs);
    expect(asked()).toBe(2);
  });

  it('are not told to be none while the owner cannot be reached', async () => {
    const { databases } = beside([refuse(new PeerUnreachableError('refused'))]);
    await expect(databases.topStatements(id, 0)).rejects.toMatchObject({ code: 'DATABASE_MOVED' });
  });

  it('are none on an owner of a release that keeps none', async () => {
    const { databases } = beside([refuse(new ByocError('ROUTE_NOT_FOUND', 'there is no such route'))]);
    expect(await databases.topStatements(id, 0)).toEqual([]);
  });
});
