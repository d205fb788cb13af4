/** Turso Sync for Python (`pyturso`), unchanged, against a real node. `.ci/install-python-client` installs it. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { testSyncClient } from './sync-client-tests.js';

const python = process.env['TURSO_BYOC_TEST_PYTURSO'];

testSyncClient({
  language: 'Python',
  command: [python ?? '', fileURLToPath(new URL('python/sync_client.py', import.meta.url))],
  missing:
    python === undefined
      ? 'TURSO_BYOC_TEST_PYTURSO is not set'
      : spawnSync(python, ['-c', 'import turso.sync']).status !== 0
        ? `${python} cannot import turso.sync`
        : undefined,
  howToInstall: '.ci/install-python-client',
});
