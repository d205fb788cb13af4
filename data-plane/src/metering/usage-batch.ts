/** What databases used, as it lies in the store until the control plane has added it up. */
import type { DatabaseId, NodeEpoch } from '../identity.js';
import { StoredJson } from '../storage/stored-json.js';

/** What one database used; whole numbers. */
export interface UsageCounts {
  /** Rows that statements gave back. */
  readonly rowsRead: number;
  /** Rows inserted and updated, whether or not the transaction was committed. */
  readonly rowsWritten: number;
  /** Bytes of pages and frames that replicas were sent, and sent. */
  readonly bytesSynced: number;
  /** Statements that were run. */
  readonly queries: number;
}

/** Rows read, rows written, bytes synced and queries of a database, in this order. */
export type UsageEntry = readonly [DatabaseId, number, number, number, number];

export interface UsageBatch {
  readonly epoch: NodeEpoch;
  /** Batches of an epoch are numbered from 1 and stored one after the other, so that they are added up in this order. */
  readonly sequence: number;
  /** When the hour began in which it was counted, in milliseconds since 1970. */
  readonly hourMs: number;
  /** Each database once. */
  readonly databases: readonly UsageEntry[];
}

/** Databases in one batch. */
export const maxBatchDatabases = 5_000;

const count = { type: 'integer', minimum: 0 } as const;

export const storedUsageBatch = new StoredJson<UsageBatch>('turso-byoc/usage/1', {
  type: 'object',
  required: ['epoch', 'sequence', 'hourMs', 'databases'],
  additionalProperties: false,
  properties: {
    epoch: { type: 'string', pattern: '^[0-9a-f]{32}$' },
    sequence: { type: 'integer', minimum: 1 },
    hourMs: count,
    databases: {
      type: 'array',
      maxItems: maxBatchDatabases,
      items: {
        type: 'array',
        items: [{ type: 'string', pattern: '^[0-9a-f-]{36}$' }, count, count, count, count],
        minItems: 5,
        maxItems: 5,
      },
    },
  },
});
