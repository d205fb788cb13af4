/**
 * One engine process as the I/O process holds it: its socket, its flight record, its end.
 *
 * The process gets two things: file descriptor 3, a socket that speaks `ipc/messages.ts`, and as its arguments the path of
 * its flight record and the name of its engine. It ends when the socket ends. Whatever ends it, everything it had sent before is delivered
 * first (a commit that reached the socket has happened); then `onExit` runs, once.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Runtime } from '../../runtime.js';
import { FlightRecordReader, type FlightRecord } from '../ipc/flight-recorder.js';
import type { FromEngine, ToEngine } from '../ipc/messages.js';
import { EngineConnection } from './engine-connection.js';
import type { EngineDirectory } from './engine-directory.js';
import type { Culprit, EngineExit, ExitCause } from './engine-exit.js';
import type { LaunchCommand } from './sandbox.js';

export interface EngineProcessOptions {
  readonly command: LaunchCommand;
  readonly directory: EngineDirectory;
  readonly runtime: Runtime;
  readonly onMessage: (message: FromEngine) => void;
  readonly onExit: (exit: EngineExit) => void;
  /** A line that the process wrote to its standard error, cut at a bounded length. */
  readonly onLogLine: (line: string) => void;
}

/** How long the socket of a process that has ended may stay open before it is given up. */
const drainMs = 2000;
const maxLogLineLength = 2000;

export class EngineProcessHandle {
  readonly #options: EngineProcessOptions;
  readonly #child: ChildProcess;
  readonly #connection: EngineConnection;
  readonly #flightRecord: FlightRecordReader;
  #served = false;
  #killedFor: { readonly cause: ExitCause; readonly detail: string; readonly culprit: Culprit | undefined } | undefined;
  #exit: EngineExit | undefined;
  /** Cancel what is scheduled around the end of the process. */
  readonly #timers: (() => void)[] = [];

  /** Starts the process. A program that cannot be started is reported by `onExit`, like any other end. */
  constructor(options: EngineProcessOptions) {
    this.#options = options;
    const { command, directory } = options;
    this.#flightRecord = new FlightRecordReader(directory.flightRecordPath);
    directory.share(directory.flightRecordPath);
    this.#child = spawn(command.program, command.argv, {
      cwd: directory.path,
      env: { ...command.environment },
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    });
    const socket = this.#child.stdio[3] as Socket;
    this.#connection = new EngineConnection(
      socket,
      (message) => {
        this.#served = true;
        options.onMessage(message);
      },
      (error) => this.kill('protocol', error.message),
    );
    this.#watchExit(socket);
  }

  /** Process id; undefined when the process could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Why the process ended; undefined while it runs. */
  get exit(): EngineExit | undefined {
    return this.#exit;
  }

  /** Sends a message; nothing happens when the process has ended, since `onExit` tells. */
  send(message: ToEngine): void {
    this.#connection.send(message);
  }

  /** What the process executes now. Not to be called after the exit. */
  readFlightRecord(): FlightRecord {
    return this.#flightRecord.read();
  }

  /** Ends the process at once. The first cause given is the one that is reported. */
  kill(cause: ExitCause, detail: string, culprit?: Culprit): void {
    this.#killedFor ??= { cause, detail, culprit };
    this.#child.kill('SIGKILL');
  }

  /** Asks the process to end, and kills it when it has not after `graceMs`. */
  stop(graceMs: number): void {
    if (this.#exit) return;
    this.#killedFor ??= { cause: 'stopped', detail: 'the node stopped it', culprit: undefined };
    this.#connection.end();
    this.#timers.push(this.#options.runtime.schedule(graceMs, () => this.#child.kill('SIGKILL')));
  }

  #watchExit(socket: Socket): void {
    const child = this.#child;
    let complaint = '';
    // A broken pipe is how a dying process looks from here; its end is reported by the events of the process.
    socket.on('error', (error) => (complaint ||= error.message));
    child.on('error', (error) => {
      complaint ||= error.message;
      if (child.pid === undefined) this.#finish('crash', `it could not be started: ${complaint}`);
    });
    child.on('exit', () => {
      this.#timers.push(this.#options.runtime.schedule(drainMs, () => socket.destroy()));
    });
    child.on('close', (code, signal) => {
      const how = signal === null ? `exit code ${code ?? 'unknown'}` : `signal ${signal}`;
      this.#finish(signal === 'SIGKILL' ? 'killed' : 'crash', complaint === '' ? how : `${how}, ${complaint}`);
    });
    if (!child.stderr) return;
    createInterface({ input: child.stderr, crlfDelay: Infinity }).on('line', (line) =>
      this.#options.onLogLine(line.slice(0, maxLogLineLength)),
    );
  }

  #finish(cause: ExitCause, detail: string): void {
    if (this.#exit) return;
    for (const cancel of this.#timers) cancel();
    const killedFor = this.#killedFor;
    const { request, database } = this.#flightRecord.read();
    this.#flightRecord.close();
    const executing = request === 0 ? undefined : { request, database };
    this.#exit = {
      cause: killedFor?.cause ?? cause,
      detail: killedFor?.detail ?? detail,
      culprit: killedFor?.cause === 'stopped' ? undefined : (killedFor?.culprit ?? executing),
      served: this.#served,
    };
    this.#options.onExit(this.#exit);
  }
}
