import { newDatabaseId, newNodeEpoch } from '../identity.js';
import { preferredNode } from './placement.js';

const nodes = Array.from({ length: 5 }, () => newNodeEpoch());
const databases = Array.from({ length: 2_000 }, () => newDatabaseId('libsql', Date.now()));

describe('rendezvous hashing', () => {
  it('does not depend on the order in which nodes are known', () => {
    for (const id of databases.slice(0, 50)) {
      expect(preferredNode(id, [...nodes].reverse())).toBe(preferredNode(id, nodes));
    }
    expect(preferredNode(databases[0]!, [])).toBeUndefined();
  });

  it('gives every node its share', () => {
    const counts = nodes.map((node) => databases.filter((id) => preferredNode(id, nodes) === node).length);
    // 400 each; the standard deviation is 18.
    for (const count of counts) expect(Math.abs(count - 400)).toBeLessThan(120);
  });

  it('moves only what a node that leaves held, and what one that joins wins', () => {
    const [left, ...rest] = nodes;
    for (const id of databases) {
      const before = preferredNode(id, nodes);
      if (before !== left) expect(preferredNode(id, rest)).toBe(before);
    }
  });
});
