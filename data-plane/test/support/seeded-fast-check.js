/**
 * Stands in for `fast-check` in tests: their properties begin at one seed, so that a run of the tests is the same as the one before.
 * TURSO_BYOC_TEST_SEED is another seed, or `random`.
 */
import fc from '../../../node_modules/fast-check/lib/fast-check.js';

const wanted = process.env.TURSO_BYOC_TEST_SEED || '20261126';
if (wanted !== 'random' && !/^\d{1,9}$/.test(wanted)) {
  throw new Error(`TURSO_BYOC_TEST_SEED is a number of at most nine digits, or random, and not ${wanted}`);
}
if (wanted !== 'random') fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(wanted) });

export default fc;
export * from '../../../node_modules/fast-check/lib/fast-check.js';
