import type { DatabaseLimits } from '@turso-byoc/data-plane/engine/ipc/messages.js';
import type { DatabasePolicy } from '@turso-byoc/data-plane/database/node-context.js';
import type { LogMaintenanceSettings } from '@turso-byoc/data-plane/node/log-maintenance.js';
import { defaultLeaseTiming, type LeaseTiming } from '@turso-byoc/data-plane/ownership/lease-timing.js';

/** How simulated nodes are set: as real ones, but with small databases, so that folds and closes happen often. */
export interface SimulatedNodeSettings {
  readonly commitWindowMs: number;
  readonly limits: DatabaseLimits;
  readonly policy: DatabasePolicy;
  readonly timing: LeaseTiming;
  readonly routeTimeoutMs: number;
  readonly maxOpenDatabases: number;
  readonly engineProcesses: number;
  readonly statementDeadlineMs: number;
  /** Databases that are made independent of the logs of ended epochs in the background. @default as in a real node */
  readonly settlesPerSecond?: number;
  /** When the log is packed and collected. @default soon enough to happen within a run, among everything else */
  readonly logMaintenance?: LogMaintenanceSettings;
}

export const smallSettings: SimulatedNodeSettings = {
  commitWindowMs: 10,
  limits: {
    maxPages: 10_000,
    maxResponseBytes: 2 ** 20,
    transactionTimeoutMs: 5_000,
    streamIdleTimeoutMs: 10_000,
    writeLockTimeoutMs: 5_000,
    maxTransactionBytes: 2 ** 24,
    requestTimeoutMs: 60_000,
  },
  policy: {
    durabilityTimeoutMs: 10_000,
    maxLogBacklogBytes: 2 ** 22,
    idleCloseMs: 3_000,
    handOverTimeoutMs: 15_000,
    foldMinBytes: 200_000,
    foldMaxBytes: 400_000,
    foldFragments: 12,
    resealBytes: 1,
    localWalBytes: 60_000,
    historyMs: 86_400_000,
    undeleteMs: 86_400_000,
    collectEveryMs: 0,
  },
  timing: defaultLeaseTiming,
  routeTimeoutMs: 10_000,
  maxOpenDatabases: 100,
  engineProcesses: 2,
  statementDeadlineMs: 5_000,
};
