import type { BenchCase } from './bench-case.js';
import { branchCase } from './branch.js';
import { clusterCase } from './cluster.js';
import { coldOpenCase } from './cold-open.js';
import { creationCase } from './creation.js';
import { costCase } from './cost.js';
import { encryptionCase } from './encryption.js';
import { idleCase } from './idle.js';
import { memoryCase } from './memory.js';
import { postgresqlCase } from './postgresql.js';
import { recoveryCase } from './recovery.js';
import { restoreRateCase } from './restore-rate.js';
import { statementCases } from './statements.js';
import { writersCase } from './writers.js';

/** In the order in which they run and stand in the report. */
export const allCases: readonly BenchCase[] = [
  ...statementCases,
  writersCase,
  postgresqlCase,
  clusterCase,
  creationCase,
  branchCase,
  coldOpenCase,
  restoreRateCase,
  encryptionCase,
  memoryCase,
  idleCase,
  recoveryCase,
  costCase,
];
