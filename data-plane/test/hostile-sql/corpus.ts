/**
 * Hostile SQL. Each case names what it tries; the tests prove what becomes of it. Shared by the tests of the gate and those
 * that come through the wire.
 */
import { fileCases } from './corpus-files.js';
import type { HostileCase } from './hostile-case.js';
import { pragmaCases } from './corpus-pragmas.js';
import { resourceCases } from './corpus-resources.js';

export const hostileCorpus: readonly HostileCase[] = [...fileCases, ...pragmaCases, ...resourceCases];
