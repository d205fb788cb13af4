import {
  databaseA as id,
  epochA as owner,
  epochB as other,
  epochC as own,
} from '../../test/storage/sample-database.js';
import type { NodeEpoch } from '../identity.js';
import type { Manifest } from '../storage/manifest.js';
import type { NodeAddress } from './node-record.js';
import { Locator } from './locator.js';
import { preferredNode } from './placement.js';

const addressOf = (epoch: NodeEpoch): NodeAddress => ({ host: epoch, httpPort: 1, adminPort: 2 });

let nowMs: number;
let reads: number;
let manifestOwner: NodeEpoch | undefined;
let reachable: Set<NodeEpoch>;
let silent: Set<NodeEpoch>;
let ended: Set<NodeEpoch>;
let locator: Locator;

beforeEach(() => {
  [nowMs, reads, manifestOwner] = [0, 0, owner];
  [reachable, silent, ended] = [new Set([owner, other]), new Set(), new Set()];
  locator = new Locator({
    runtime: { monotonicMs: () => nowMs },
    own,
    manifests: {
      readAgain: async () => {
        reads += 1;
        const manifest = { id, owner: manifestOwner } as Manifest;
        return Promise.resolve({ manifest, etag: 'etag' as never });
      },
    },
    watch: {
      address: (epoch) => (reachable.has(epoch) ? addressOf(epoch) : undefined),
      isSilent: (epoch) => silent.has(epoch),
      candidates: () => [...reachable],
      suspect: async () => Promise.resolve(),
      failure: () => undefined,
    },
    ended: {
      isKnown: (epoch) => ended.has(epoch),
      find: async (epoch) => Promise.resolve(ended.has(epoch) ? ({ epoch } as never) : undefined),
    },
    takesDatabases: () => true,
    maxRemembered: 2,
  });
});

it('asks the manifest once for an owner that serves', async () => {
  for (const isRemembered of [false, false, false]) {
    expect(await locator.locate(id)).toEqual({ kind: 'peer', epoch: owner, address: addressOf(owner), isRemembered });
  }
  nowMs += 60_000;
  expect(await locator.locate(id)).toMatchObject({ kind: 'peer', isRemembered: true });
  expect(reads).toBe(1);
  locator.forget(id);
  await locator.locate(id);
  expect(reads).toBe(2);
});

it('does not ask again at once when a fresh owner falls silent, and asks when it is some time ago', async () => {
  await locator.locate(id);
  reachable.delete(owner);
  silent.add(owner);
  nowMs += 1_900;
  expect(await locator.locate(id)).toEqual({ kind: 'nobody', owner });
  expect(reads).toBe(1);
  nowMs += 200;
  manifestOwner = other;
  expect(await locator.locate(id)).toMatchObject({ kind: 'peer', epoch: other });
  expect(reads).toBe(2);
});

it('asks at once when an owner has stopped of its own accord: somebody else may have the database', async () => {
  await locator.locate(id);
  reachable.delete(owner);
  manifestOwner = other;
  expect(await locator.locate(id)).toMatchObject({ kind: 'peer', epoch: other });
});

it('finds the node that takes over from an owner that is known to have ended, without a manifest', async () => {
  await locator.locate(id);
  reachable.delete(owner);
  ended.add(owner);
  const preferred = preferredNode(id, [other, own]);
  const found = await locator.locate(id);
  if (preferred === own) expect(found).toEqual({ kind: 'here', found: undefined });
  else expect(found).toEqual({ kind: 'peer', epoch: other, address: addressOf(other), isRemembered: true });
  expect(reads).toBe(1);
  // Whoever took a request is the owner from then on, though placement would prefer another node by now.
  locator.found(id, other);
  expect(await locator.locate(id)).toMatchObject({ kind: 'peer', epoch: other });
  expect(reads).toBe(1);
});
