/**
 * The control plane, which kills itself the first time it reaches the step CRASH_STEP for the database CRASH_DATABASE;
 * CRASH_FILE remembers that it has.
 */
import { closeSync, openSync } from 'node:fs';
import { runControlPlaneProcess } from '../../dist/control-plane-process.js';

function isFirstTime() {
  try {
    closeSync(openSync(process.env.CRASH_FILE, 'wx'));
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

await runControlPlaneProcess({
  observe: (step, database) => {
    if (step !== process.env.CRASH_STEP || database !== process.env.CRASH_DATABASE) return;
    if (isFirstTime()) process.kill(process.pid, 'SIGKILL');
  },
});
