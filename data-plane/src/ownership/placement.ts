import { createHash } from 'node:crypto';
import type { DatabaseId, NodeEpoch } from '../identity.js';

/**
 * Rendezvous hashing: the node that a database without an owner, or the log of an ended epoch, should go to, the same for everybody who knows the same
 * nodes. A node that joins or leaves moves only the databases that it wins or held. Undefined without nodes.
 */
export function preferredNode(database: DatabaseId | NodeEpoch, nodes: Iterable<NodeEpoch>): NodeEpoch | undefined {
  let best: NodeEpoch | undefined;
  let bestScore = '';
  for (const node of nodes) {
    const score = createHash('sha256').update(node).update(database).digest('hex');
    if (best === undefined || score > bestScore || (score === bestScore && node > best)) {
      best = node;
      bestScore = score;
    }
  }
  return best;
}
