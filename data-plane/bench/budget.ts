/** How much is measured. Figures of different budgets are comparable; a smaller one only scatters more. */
export interface Budget {
  /** Statements are measured in rounds; each subject takes its turn in every round. */
  readonly rounds: number;
  readonly warmupMs: number;
  readonly measureMs: number;
  readonly loads: readonly { readonly connections: number; readonly databases: number }[];
  readonly writers: number;
  readonly writerRounds: number;
  readonly writerMeasureMs: number;
  /** Databases created at each degree of parallelism. */
  readonly creations: number;
  readonly smallDatabases: number;
  readonly smallBytes: number;
  readonly smallRestarts: number;
  readonly branchBytes: number;
  /** Branches in each state of the database. */
  readonly branches: number;
  readonly largeBytes: number;
  readonly largeOpens: number;
  /** Databases that are opened to see what each costs in memory. */
  readonly memoryDatabases: number;
  readonly idleDatabases: number;
  readonly idleWindowMs: number;
  /** How often the sealed and the plain node take turns, and how long each writes in one. */
  readonly encryptionTurns: number;
  readonly encryptionMs: number;
  readonly encryptionLargeBytes: number;
  /** Open databases of the epoch that is recovered. */
  readonly recoveredDatabases: number;
  /** Virtual time over which requests are counted to price them. */
  readonly pricedSeconds: number;
}

const mebibyte = 2 ** 20;

export const fullBudget: Budget = {
  rounds: 5,
  warmupMs: 2_000,
  measureMs: 2_000,
  loads: [1, 64].flatMap((databases) => [1, 32].map((connections) => ({ connections, databases }))),
  writers: 64,
  writerRounds: 5,
  writerMeasureMs: 3_000,
  creations: 500,
  smallDatabases: 8,
  smallBytes: mebibyte,
  smallRestarts: 5,
  branchBytes: 1_024 * mebibyte,
  branches: 5,
  largeBytes: 100 * mebibyte,
  largeOpens: 5,
  memoryDatabases: 1_000,
  idleDatabases: 200,
  idleWindowMs: 30_000,
  encryptionTurns: 16,
  encryptionMs: 2_000,
  encryptionLargeBytes: 32 * mebibyte,
  recoveredDatabases: 50_000,
  pricedSeconds: 120,
};

/** Under a minute on a small machine: for continuous integration, where it shows that everything runs. */
export const quickBudget: Budget = {
  rounds: 2,
  warmupMs: 1_500,
  measureMs: 400,
  loads: [{ connections: 32, databases: 1 }],
  writers: 64,
  writerRounds: 2,
  writerMeasureMs: 700,
  creations: 48,
  smallDatabases: 3,
  smallBytes: mebibyte,
  smallRestarts: 1,
  branchBytes: 16 * mebibyte,
  branches: 2,
  largeBytes: 10 * mebibyte,
  largeOpens: 2,
  memoryDatabases: 60,
  idleDatabases: 20,
  idleWindowMs: 1_500,
  encryptionTurns: 2,
  encryptionMs: 1_000,
  encryptionLargeBytes: 4 * mebibyte,
  recoveredDatabases: 5_000,
  pricedSeconds: 30,
};
