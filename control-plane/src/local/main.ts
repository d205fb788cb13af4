import { isControlPlaneError } from '../errors/catalogue.js';
import { exitCodeConfiguration } from '../exit-codes.js';
import { LocalSystem } from './local-system.js';
import { readLocalSettings } from './settings.js';
import { welcome } from './welcome.js';

/** npm passes on the Ctrl-C that the terminal has already delivered; two signals within this time are one. */
const sameSignalMs = 500;

const report = (line: string): void => console.error(`· ${line}`);

function fail(error: unknown): never {
  if (isControlPlaneError(error)) {
    console.error(`\nTurso BYOC could not start: ${error.message}.\n${error.remedy}`);
    process.exit(error.code === 'SETTING_INVALID' ? exitCodeConfiguration : 1);
  }
  console.error('\nTurso BYOC could not start:', error);
  process.exit(1);
}

function createSystem(): LocalSystem {
  try {
    return new LocalSystem({ ...readLocalSettings(process.env), report, environment: process.env });
  } catch (error) {
    return fail(error);
  }
}

const system = createSystem();
let stoppingSinceMs: number | undefined;

const stop = (): void => {
  if (stoppingSinceMs !== undefined) {
    if (performance.now() - stoppingSinceMs < sameSignalMs) return;
    report('stopping at once');
    system.kill();
    process.exit(130);
  }
  stoppingSinceMs = performance.now();
  report('stopping; press Ctrl-C again to stop at once');
  system.stop().then(
    () => {
      report('stopped');
      process.exit(0);
    },
    (error: unknown) => {
      console.error('could not stop in order:', error);
      process.exit(1);
    },
  );
};
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
process.on('SIGHUP', stop);

try {
  const access = await system.start();
  const { localJson, logs } = system.directory;
  console.log(welcome(access, { localJson, logs }));
} catch (error) {
  // Stopped while it was starting: stopping ends the process.
  if (stoppingSinceMs === undefined) fail(error);
}
