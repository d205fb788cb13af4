/** A server of others, started for a test on a free port of the loopback interface, with a directory for what it stores. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '@turso-byoc/data-plane/bench/subjects/free-port.js';

export interface ServerCommand {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** How a server is started that is to listen on `port` and store below `directory`. */
export type CommandFor = (where: { directory: string; port: number }) => ServerCommand;

export class ThirdPartyServer {
  readonly endpoint: string;
  readonly #name: string;
  readonly #command: CommandFor;
  readonly #directory: string;
  readonly #port: number;
  #child: ChildProcess | undefined;
  #output = '';

  private constructor(name: string, command: CommandFor, directory: string, port: number) {
    this.#name = name;
    this.#command = command;
    this.#directory = directory;
    this.#port = port;
    this.endpoint = `http://127.0.0.1:${port}`;
  }

  static async start(name: string, command: CommandFor): Promise<ThirdPartyServer> {
    for (let attempt = 1; ; attempt++) {
      const directory = await mkdtemp(join(tmpdir(), `${name}-`));
      const server = new ThirdPartyServer(name, command, directory, await freePort());
      if (await server.#run()) return server;
      await server.stop();
      // Somebody else may have taken the port that was free a moment ago.
      if (attempt === 3) throw new Error(`${name} did not start:\n${server.#output}`);
    }
  }

  /** Ends the server and removes what it stored. */
  async stop(): Promise<void> {
    await this.halt();
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Kills the server; what it stored stays. */
  async halt(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'close');
    child.kill('SIGKILL');
    await gone;
  }

  /** Starts it again if it was killed, at the same endpoint on what it stored. Resolves when it accepts connections. */
  async resume(): Promise<void> {
    if (this.#child) return;
    if (!(await this.#run())) throw new Error(`${this.#name} did not start again:\n${this.#output}`);
  }

  /** False when the server ended at once. */
  async #run(): Promise<boolean> {
    const where = { directory: this.#directory, port: this.#port };
    const { program, arguments: given, environment } = this.#command(where);
    const child = spawn(program, given, {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    // It would outlive a test that is broken off.
    const end = (): void => void child.kill('SIGKILL');
    process.once('exit', end);
    child.once('exit', () => process.off('exit', end));
    const keep = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString()).slice(-4_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    while (child.exitCode === null && child.signalCode === null) {
      if (await accepts(this.#port)) return true;
      await delay(50);
    }
    return false;
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  const accepted = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  });
  socket.destroy();
  return accepted;
}
