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

/** How large a database is: after which commit, and how many pages it has then. */
export interface DatabaseSize {
  readonly commit: number;
  readonly pages: number;
}

/** A database, and its size as `DatabaseSize` has it. */
export type SizeEntry = readonly [DatabaseId, number, number];

export interface UsageBatch {
  readonly epoch: NodeEpoch;
  /** Batches of an epoch are numbered from 1 and stored one after the other, so that they are added up in this order. */
  readonly sequence: number;
  /** When the hour began in which it was counted, in milliseconds since 1970. */
  readonly hourMs: number;
  /** Each database once. */
  readonly databases: readonly UsageEntry[];
  /** Sizes of databases that were used, each database once; absent where there are none. */
  readonly sizes?: readonly SizeEntry[];
}

/** Databases in one batch, and sizes in it. */
export const maxBatchDatabases = 5_000;

const count = { type: 'integer', minimum: 0 } as const;
const database = { type: 'string', pattern: '^[0-9a-f-]{36}$' } as const;

export const usageBatchSchema = {
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
        items: [database, count, count, count, count],
        minItems: 5,
        maxItems: 5,
      },
    },
    sizes: {
      type: 'array',
      maxItems: maxBatchDatabases,
      items: { type: 'array', items: [database, count, count], minItems: 3, maxItems: 3 },
    },
  },
} as const;

export const storedUsageBatch = new StoredJson<UsageBatch>('turso-byoc/usage/1', usageBatchSchema);
