/** A client of Turso Sync in another language: a process that does a step after the other. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** How a replica is opened. */
export interface ReplicaOptions {
  /** Begin with the first bytes of the database only. */
  readonly prefix?: number;
  /** Begin with what this query reads only. */
  readonly query?: string;
  /** In base64, with its cipher: the key that the client of the database holds. */
  readonly key?: string;
  readonly cipher?: string;
  /** How long a pull waits for changes. */
  readonly longPollMs?: number;
  /** `false`: begin empty, without the server. */
  readonly bootstrap?: boolean;
}

/** `name` is the replica's. */
export type SyncStep = { readonly name: string } & (
  | ({ readonly do: 'connect'; readonly path: string; readonly url: string; readonly token: string } & ReplicaOptions)
  | { readonly do: 'run'; readonly sql: string; readonly parameters: readonly unknown[] }
  | { readonly do: 'push' | 'pull' | 'checkpoint' }
);

/** A line of JSON for each step goes in, `{"ok": value}` or `{"error": text}` comes out. */
export class SyncClient {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<string>;

  constructor([program = '', ...programArguments]: readonly string[]) {
    this.#process = spawn(program, programArguments, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** What the client answers: rows of `run`, whether a `pull` brought something. Throws what it throws. */
  async do(step: SyncStep): Promise<unknown> {
    this.#process.stdin.write(`${JSON.stringify(step)}\n`);
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error(`the client has ended at ${step.do}`);
    const answer = JSON.parse(value) as { ok?: unknown; error?: string };
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.ok;
  }

  /** Kills it, as a device that loses power does. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }
}
