import { connect, type Socket } from 'node:net';

export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A TCP connection that sends what it is told, byte for byte. */
export class RawConnection {
  #received = '';
  #closed = false;
  #wake: (() => void) | undefined;

  private constructor(readonly socket: Socket) {
    socket.setEncoding('latin1');
    const notify = (): void => this.#wake?.();
    socket.on('data', (text: string) => {
      this.#received += text;
      notify();
    });
    // A reset is one of the ways in which a server closes; `closed` tells.
    socket.on('error', notify);
    socket.on('close', () => {
      this.#closed = true;
      notify();
    });
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect(port, '127.0.0.1');
    const connection = new RawConnection(socket);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return connection;
  }

  get received(): string {
    return this.#received;
  }

  send(text: string | Buffer): void {
    this.socket.write(text);
  }

  /** Resolves when `ready` holds for what was received, or the server has closed the connection. */
  async until(ready: (received: string) => boolean): Promise<string> {
    while (!ready(this.#received) && !this.#closed) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#received;
  }

  /** Everything the server sends until it closes. */
  async untilClosed(): Promise<string> {
    return this.until(() => false);
  }

  /** Takes the next response, which must have a content length (or be the last of the connection), off what was received. */
  async response(): Promise<RawResponse> {
    await this.until((text) => text.includes('\r\n\r\n'));
    const headEnd = this.#received.indexOf('\r\n\r\n');
    if (headEnd < 0) throw new Error(`the connection closed after ${JSON.stringify(this.#received)}`);
    const [statusLine = '', ...lines] = this.#received.slice(0, headEnd).split('\r\n');
    const headers = Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    const start = headEnd + 4;
    const length = headers['content-length'];
    const end = length === undefined ? undefined : start + Number(length);
    await this.until((text) => end !== undefined && text.length >= end);
    const body = this.#received.slice(start, end);
    this.#received = end === undefined ? '' : this.#received.slice(end);
    return { status: Number(statusLine.split(' ')[1]), headers, body };
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** A request with a content length. */
export function rawRequest(line: string, headers: readonly string[], body = ''): string {
  return [line, ...headers, `content-length: ${Buffer.byteLength(body)}`, '', body].join('\r\n');
}
