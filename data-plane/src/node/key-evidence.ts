import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { NodeEpoch } from '../identity.js';
import type { KeyUse } from '../keys/key-service.js';
import type { Metrics } from '../metering/metrics.js';

/**
 * Evidence of who used which key for which database when: one log line for every request to the key service, with the
 * name that the service's own audit log has for it. Key material never comes here.
 */
export class KeyEvidence {
  readonly #log: Logger;
  readonly #metrics: Metrics;
  readonly #node = hostname();
  /** Set as soon as the node has one. */
  epoch: NodeEpoch | undefined;

  constructor(log: Logger, metrics: Metrics) {
    this.#log = log;
    this.#metrics = metrics;
  }

  readonly onUse = (use: KeyUse): void => {
    this.#metrics.keyUsed(use);
    const { operation, keyId, database, outcome, requestId } = use;
    const fields = { operation, key: keyId, database, outcome, requestId, node: this.#node, epoch: this.epoch };
    if (outcome === 'done') this.#log.info(fields, 'key used');
    else this.#log.warn(fields, 'key not usable');
  };
}
