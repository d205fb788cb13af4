/** What one database may take of a node; every number is explained in docs/limits.md. */
import type { DatabaseLimits } from '../engine/ipc/messages.js';
import type { DatabasePolicy } from '../database/node-context.js';
import type { KeyWatchSettings } from '../keys/key-watch.js';
import { mostLogObjectsInFlight } from '../storage/commit-log.js';
import type { LogMaintenanceSettings } from './log-maintenance.js';
import type { NodeSettings } from './settings.js';

const mebibyte = 2 ** 20;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

export function databaseLimits(settings: NodeSettings): DatabaseLimits {
  return {
    maxPages: Math.floor(settings.maxDatabaseBytes / 4096),
    maxResponseBytes: 10 * mebibyte,
    transactionTimeoutMs: 5_000,
    streamIdleTimeoutMs: 10_000,
    writeLockTimeoutMs: 5_000,
    maxTransactionBytes: 256 * mebibyte,
    requestTimeoutMs: 60_000,
  };
}

export function databasePolicy(settings: NodeSettings): DatabasePolicy {
  return {
    durabilityTimeoutMs: settings.durabilityTimeoutMs,
    maxLogBacklogBytes: 256 * mebibyte,
    idleCloseMs: settings.idleCloseMs,
    // As long as a stream can live: five seconds in a transaction, ten without a request.
    handOverTimeoutMs: 15_000,
    foldMinBytes: mebibyte,
    foldMaxBytes: 64 * mebibyte,
    foldFragments: 256,
    resealBytes: 32 * mebibyte,
    localWalBytes: 4 * mebibyte,
    historyMs: settings.historyDays * dayMs,
    undeleteMs: settings.undeleteDays * dayMs,
    collectEveryMs: settings.collectHours * hourMs,
  };
}

/** Half of the minute within which a revoked key ends its databases; an hour without an answer is a long outage of a service in three zones. */
export const keyWatchSettings: KeyWatchSettings = { probeEveryMs: 30_000, graceMs: hourMs };

export const commitLogLimits = { maxObjectBytes: 4 * mebibyte, maxInFlight: mostLogObjectsInFlight };

/** Log objects of this node that are kept in memory for the folds and packs that read them again. */
export const recentLogBytes = 64 * mebibyte;

/** For the beginnings of transactions that replicas push, of all databases together. */
export const pushBudgetBytes = 256 * mebibyte;

/**
 * 512 log objects are walked in a few hundred milliseconds. The bytes stay below `recentLogBytes`, so that packs are made
 * from memory.
 */
export const logMaintenance: LogMaintenanceSettings = {
  upkeep: {
    maxRetainedPositions: 128,
    maxRetainedBytes: 48 * mebibyte,
    maxPackBytes: 32 * mebibyte,
    fanOut: 8,
  },
  collection: {
    pace: { looksPerSecond: 50, settlesPerSecond: 2, graceMs: 120_000 },
    delayMs: 30_000,
    retryMs: 3_600_000,
  },
};
