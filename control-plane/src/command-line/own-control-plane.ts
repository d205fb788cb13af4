import { pino } from 'pino';
import { systemClock } from '../clock.js';
import { readConfig } from '../config.js';
import { startControlPlane, type ControlPlane } from '../control-plane.js';

/**
 * Runs `use` with a control plane of this process, which has the settings of the deployed ones but listens where nobody
 * finds it. Any number of control planes share a catalog. Throws what `readConfig` and `startControlPlane` throw.
 */
export async function withOwnControlPlane<T>(
  environment: NodeJS.ProcessEnv,
  use: (controlPlane: ControlPlane) => Promise<T>,
): Promise<T> {
  // Its metrics are nobody's: the port is the one of the control plane beside it, in the same container.
  const { metricsPort: _port, embeddedMetrics: _embedded, ...config } = readConfig(environment);
  const controlPlane = await startControlPlane({
    config: { ...config, apiHost: '127.0.0.1', apiPort: 0 },
    clock: systemClock,
    // Standard output is for what the command has to say.
    logger: pino({ name: 'control-plane', level: 'warn' }, pino.destination({ dest: process.stderr.fd, sync: true })),
    signal: new AbortController().signal,
  });
  try {
    return await use(controlPlane);
  } finally {
    await controlPlane.stop();
  }
}
