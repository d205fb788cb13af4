/** Turso Sync for Rust (the crate `turso`), unchanged, against a real node. `npm run rust-client-test` builds it. */
import { existsSync } from 'node:fs';
import { testSyncClient } from './sync-client-tests.js';

const program = process.env['TURSO_BYOC_TEST_TURSO_CRATE'];

testSyncClient({
  language: 'Rust',
  command: [program ?? ''],
  missing:
    program === undefined
      ? 'TURSO_BYOC_TEST_TURSO_CRATE is not set'
      : existsSync(program)
        ? undefined
        : `there is no ${program}`,
  howToInstall: 'npm run rust-client-test',
});
