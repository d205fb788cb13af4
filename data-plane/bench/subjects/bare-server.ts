import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** An answer as the data node gave it, without the headers that Node.js adds by itself. */
export interface RecordedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export type FromBareServer = { readonly type: 'listening'; readonly port: number } | { readonly type: 'answering' };

export class BareServer {
  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
  ) {}

  static async start(): Promise<BareServer> {
    const entry = fileURLToPath(new URL('bare-server-process.js', import.meta.url));
    const child = fork(entry, { serialization: 'advanced' });
    const [message] = (await once(child, 'message')) as [FromBareServer];
    if (message.type !== 'listening') throw new Error('the bare server did not start');
    return new BareServer(child, message.port);
  }

  /** From now on this is what every request is answered with. */
  async answerWith(answer: RecordedAnswer): Promise<void> {
    this.child.send(answer);
    await once(this.child, 'message');
  }

  processIds(): number[] {
    return this.child.pid === undefined ? [] : [this.child.pid];
  }

  stop(): void {
    this.child.disconnect();
  }
}
