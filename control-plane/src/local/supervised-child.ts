import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { ControlPlaneError } from '../errors/catalogue.js';
import { exitCodeConfiguration } from '../exit-codes.js';
import type { BoundedLog } from './bounded-log.js';
import { noteworthy } from './log-line.js';

const firstRestartDelayMs = 200;
const maxRestartDelayMs = 10_000;
/** A child that was ready for this long is restarted without delay when it dies. */
const soundAfterMs = 30_000;
/** A child that dies this often before it was ever ready will not start. */
const maxEarlyDeaths = 5;

export interface SupervisedChildOptions {
  /** What people call it, such as `data node`. */
  readonly name: string;
  /** The JavaScript file to run. */
  readonly entry: string;
  /** Asked before every start. */
  readonly environment: () => NodeJS.ProcessEnv;
  /** Called once, before the first start. */
  readonly openLog: () => BoundedLog;
  /** Shows a line to the person at the terminal. */
  readonly report: (line: string) => void;
  /** Every message that the child sends, `ready` included. */
  readonly onMessage: (message: unknown) => void;
  /** Called whenever a process was started or has ended. */
  readonly onProcessChange: () => void;
}

/**
 * A child process that is started again whenever it dies. It runs in a process group of its own, so that a Ctrl-C at
 * the terminal reaches the launcher alone, and has an IPC channel whose end tells it that the launcher is gone.
 */
export class SupervisedChild {
  #child: ChildProcess | undefined;
  #log: BoundedLog | undefined;
  #stopping = false;
  #restart: NodeJS.Timeout | undefined;
  #delayMs = firstRestartDelayMs;
  #everReady = false;
  #earlyDeaths = 0;
  #readyAtMs: number | undefined;
  #ended: Promise<void> = Promise.resolve();
  #settleStart: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(private readonly options: SupervisedChildOptions) {}

  /** The running process, if one runs now. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts the child; resolves when it says that it is ready. Throws `CHILD_NOT_STARTED`. */
  async start(): Promise<void> {
    if (this.#stopping) throw this.#toldToStop();
    this.#log ??= this.options.openLog();
    const started = new Promise<void>((resolve, reject) => {
      this.#settleStart = { resolve, reject };
    });
    this.#spawn();
    return started;
  }

  send(message: object): void {
    if (this.#child?.connected === true) this.#child.send(message);
  }

  /** Asks the child to end, ends it after `graceMs`, and resolves when it is gone. It is not started again. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    this.#settleStart?.reject(this.#toldToStop());
    const child = this.#child;
    if (child === undefined) return;
    child.kill('SIGTERM');
    const force = setTimeout(() => {
      this.options.report(`the ${this.options.name} did not stop within ${graceMs / 1000} s and is ended`);
      child.kill('SIGKILL');
    }, graceMs);
    await this.#ended;
    clearTimeout(force);
  }

  /** Ends the child at once. It is not started again. */
  kill(): void {
    this.#stopping = true;
    clearTimeout(this.#restart);
    this.#child?.kill('SIGKILL');
  }

  #toldToStop(): ControlPlaneError {
    return new ControlPlaneError('CHILD_NOT_STARTED', `the ${this.options.name} was told to stop`);
  }

  #spawn(): void {
    const { entry, environment, onMessage, onProcessChange } = this.options;
    this.#readyAtMs = undefined;
    const child = spawn(process.execPath, [entry], {
      env: environment(),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    });
    this.#child = child;
    // With these settings both streams are pipes.
    this.#record(child.stdout as Readable);
    this.#record(child.stderr as Readable);
    child.on('message', (message) => {
      onMessage(message);
      if (typeof message === 'object' && 'type' in message && message.type === 'ready') this.#becameReady();
    });
    this.#ended = new Promise((resolve) => {
      let gone = false;
      const end = (how: string, exitCode: number | null): void => {
        if (gone) return;
        gone = true;
        this.#child = undefined;
        resolve();
        onProcessChange();
        this.#died(how, exitCode);
      };
      child.on('exit', (code, signal) => end(signal === null ? `exit code ${code}` : `signal ${signal}`, code));
      child.on('error', (error) => {
        // A signal or a message that could not be delivered ends nothing.
        if (child.pid === undefined) end(error.message, null);
        else this.#log?.write(`launcher: ${error.message}`);
      });
    });
    onProcessChange();
  }

  #record(stream: Readable): void {
    createInterface({ input: stream }).on('line', (line) => {
      this.#log?.write(line);
      const note = noteworthy(line);
      if (note !== undefined) this.options.report(`${this.options.name}: ${note}`);
    });
  }

  #becameReady(): void {
    this.#readyAtMs = performance.now();
    if (this.#everReady) this.options.report(`the ${this.options.name} is running again`);
    this.#everReady = true;
    this.#settleStart?.resolve();
  }

  #died(how: string, exitCode: number | null): void {
    if (this.#stopping) return;
    const { name, report } = this.options;
    if (!this.#everReady) {
      this.#earlyDeaths += 1;
      if (exitCode === exitCodeConfiguration || this.#earlyDeaths >= maxEarlyDeaths) {
        this.#settleStart?.reject(
          new ControlPlaneError(
            'CHILD_NOT_STARTED',
            `the ${name} does not start (${how}); its log is ${this.#log?.path ?? ''}`,
          ),
        );
        return;
      }
    }
    if (this.#readyAtMs !== undefined && performance.now() - this.#readyAtMs > soundAfterMs) {
      this.#delayMs = firstRestartDelayMs;
    }
    report(`the ${name} has ended (${how}) and is started again`);
    this.#restart = setTimeout(() => this.#spawn(), this.#delayMs);
    this.#delayMs = Math.min(this.#delayMs * 2, maxRestartDelayMs);
  }
}
