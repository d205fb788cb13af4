/**
 * An HTTP server that answers what a test wrote down, and keeps what was asked. It stores nothing: it is for what S3 says
 * on the wire, which real servers cannot be made to say on demand.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface AskedRequest {
  /** Method and path with query, for example `PUT /bucket/prefix/key?x-id=PutObject`. */
  readonly line: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export type ScriptedAnswer = (response: ServerResponse, request: AskedRequest) => void;

export class ScriptedS3 {
  readonly asked: AskedRequest[] = [];
  readonly #script: ScriptedAnswer[] = [];
  #otherwise: ScriptedAnswer | undefined;

  private constructor(
    private readonly server: Server,
    readonly endpoint: string,
  ) {}

  static async start(): Promise<ScriptedS3> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const scripted = new ScriptedS3(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const asked = {
          line: `${request.method} ${request.url}`,
          headers: request.headers,
          body: Buffer.concat(chunks),
        };
        scripted.asked.push(asked);
        const answer = scripted.#script.shift() ?? scripted.#otherwise;
        if (answer) answer(response, asked);
        else response.writeHead(599).end('the script has no answer to this');
      });
    });
    return scripted;
  }

  /** The next requests are answered with these, in turn. */
  answer(...answers: ScriptedAnswer[]): void {
    this.#script.push(...answers);
  }

  /** Answers whatever comes after the script. */
  otherwise(answer: ScriptedAnswer): void {
    this.#otherwise = answer;
  }

  /** Closes the port; may be called again. */
  async stop(): Promise<void> {
    if (!this.server.listening) return;
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

export const etag = '"0123456789abcdef"';

export function ok(headers: Record<string, string> = {}, body: string | Buffer = ''): ScriptedAnswer {
  return (response) =>
    response.writeHead(200, { etag, 'content-length': Buffer.byteLength(body), ...headers }).end(body);
}

export const partial = (range: string, body: string): ScriptedAnswer => {
  return (response) => response.writeHead(206, { etag, 'content-range': range }).end(body);
};

/** An object with the checksum that S3 keeps for it. */
export function object(body: Buffer, checksum = createHash('sha256').update(body).digest('base64')): ScriptedAnswer {
  return ok({ 'x-amz-checksum-sha256': checksum }, body);
}

export function xml(text: string, status = 200): ScriptedAnswer {
  return (response) =>
    response.writeHead(status, { 'content-type': 'application/xml' }).end(`<?xml version="1.0"?>${text}`);
}

export function error(status: number, code: string): ScriptedAnswer {
  return xml(`<Error><Code>${code}</Code><Message>of a test</Message></Error>`, status);
}

/** The connection ends without an answer. */
export const reset: ScriptedAnswer = (response) => response.socket?.destroy();

/** No answer, ever. */
export const silence: ScriptedAnswer = () => undefined;

/** The connection ends in the middle of the body. */
export const truncated: ScriptedAnswer = (response) => {
  response.writeHead(200, { etag, 'content-length': 100 });
  response.write('only this', () => response.socket?.destroy());
};

export const session = (token: string, expiration = new Date(Date.now() + 300_000)): ScriptedAnswer =>
  xml(
    `<CreateSessionResult><Credentials><SessionToken>${token}</SessionToken><SecretAccessKey>secret</SecretAccessKey>` +
      `<AccessKeyId>key-${token}</AccessKeyId><Expiration>${expiration.toISOString()}</Expiration></Credentials>` +
      '</CreateSessionResult>',
  );

export const listing = (keys: readonly string[], next?: string): ScriptedAnswer =>
  xml(
    `<ListBucketResult>${keys.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('')}` +
      `<IsTruncated>${next !== undefined}</IsTruncated>` +
      `${next === undefined ? '' : `<NextContinuationToken>${next}</NextContinuationToken>`}</ListBucketResult>`,
  );
