import { pino, type Logger } from 'pino';
import { systemClock } from './clock.js';
import { readConfig } from './config.js';
import { startControlPlane, type ControlPlane } from './control-plane.js';
import type { StepObserver } from './databases/database-lifecycle.js';
import { isControlPlaneError } from './errors/catalogue.js';
import { exitCodeConfiguration } from './exit-codes.js';
import { isToControlPlane, type ToControlPlane, type ToLauncher } from './launcher-messages.js';

/** How long calls in hand may take to end when the process is told to stop. */
const stopBudgetMs = 10_000;

/**
 * Runs the control plane as this process: settings from the environment, logs on standard output, stop on SIGTERM,
 * SIGINT, and when the launcher that started it is gone.
 */
export async function runControlPlaneProcess(options: { readonly observe?: StepObserver } = {}): Promise<void> {
  const stopping = new AbortController();
  let controlPlane: ControlPlane | undefined;
  let logger = newLogger('info');

  const stop = (why: string): void => {
    if (stopping.signal.aborted) return;
    stopping.abort();
    logger.info({ why }, 'stopping');
    setTimeout(() => {
      logger.warn('calls in hand did not end in time');
      process.exit(1);
    }, stopBudgetMs).unref();
    // A start that still waits for the data plane ends through the signal.
    void controlPlane?.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, 'could not stop in order');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  process.on('disconnect', () => stop('the launcher is gone'));

  try {
    const config = readConfig(process.env);
    logger = newLogger(config.logLevel);
    controlPlane = await startControlPlane({
      config,
      clock: systemClock,
      logger,
      signal: stopping.signal,
      ...(options.observe === undefined ? {} : { observe: options.observe }),
    });
  } catch (error) {
    if (stopping.signal.aborted) process.exit(0);
    const remedy = isControlPlaneError(error) ? error.remedy : undefined;
    logger.fatal({ err: error, remedy }, 'the control plane could not start');
    process.exit(isControlPlaneError(error, 'SETTING_INVALID', 'SIGNING_KEY_INVALID') ? exitCodeConfiguration : 1);
  }
  if (stopping.signal.aborted) process.exit(0);
  logger.info({ apiPort: controlPlane.apiPort }, 'ready');
  serveLauncher(controlPlane, logger);
}

/**
 * Writes synchronously: the last line before the process ends is not lost, and when the launcher at the other end is gone
 * the first failed write ends the logging, where an asynchronous destination would hold up the exit for ever.
 */
function newLogger(level: string): Logger {
  return pino({ name: 'control-plane', level }, pino.destination({ dest: process.stdout.fd, sync: true }));
}

/** Tells the launcher that the process is ready and answers what it asks; does nothing without one. */
function serveLauncher(controlPlane: ControlPlane, logger: Logger): void {
  if (process.send === undefined) return;
  const tell = (message: ToLauncher): void => {
    if (process.connected) process.send?.(message);
  };
  process.on('message', (message) => {
    if (!isToControlPlane(message)) return;
    void localToken(controlPlane, message).then(
      (token) => tell({ type: 'platform-token', token }),
      (error: unknown) => {
        logger.fatal({ err: error }, 'the first platform token could not be minted');
        process.exit(1);
      },
    );
  });
  tell({ type: 'ready', apiPort: controlPlane.apiPort });
}

/** A platform token of the user that the launcher acts for: the one it knows, while that is in force. */
async function localToken(controlPlane: ControlPlane, { name, current }: ToControlPlane): Promise<string> {
  const { uuid } = await controlPlane.localUser();
  return controlPlane.platformTokens.ensure(uuid, name, current, 'launcher');
}
