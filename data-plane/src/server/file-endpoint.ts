/** Answers requests for the file of a database: uploads, exports, replicas. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { DatabaseService } from '../database/database-service.js';
import { isChange, type FileAnswer, type FileOperation, type FileOperationKind } from '../database/file-request.js';
import { ByocError } from '../errors/catalogue.js';
import type { Runtime } from '../runtime.js';
import { uploadChunkBytes } from '../storage/uploaded-image.js';
import type { TraceSpan } from '../tracing/trace-span.js';
import type { Tracing } from '../tracing/tracing.js';
import { presentedKey } from './client-key-headers.js';
import { connectionSignal } from './connection-signal.js';
import { corsHeaders } from './cors.js';
import type { DatabaseAccess, GrantedAccess } from './database-access.js';
import { fileOperation } from './file-routes.js';
import { forwardedHeader } from './forwarding.js';
import type { HttpLimits } from './http-limits.js';
import type { HttpServer } from './http-server.js';
import { givenRequestId } from './request-id.js';
import type { MemoryBudget } from '../memory-budget.js';
import { readBody } from './request-body.js';
import type { RequestTarget } from './request-target.js';
import { onResponseEnd } from './response-end.js';
import { beginTrace, endTrace } from './request-trace.js';
import { streamBody } from './response-stream.js';

export interface FileEndpointOptions {
  readonly server: HttpServer;
  readonly access: DatabaseAccess;
  readonly databases: Pick<DatabaseService, 'serveFile'>;
  readonly runtime: Runtime;
  readonly limits: HttpLimits;
  readonly budget: MemoryBudget;
  /** Absent when nothing is traced. */
  readonly tracing?: Tracing | undefined;
}

/** One request that somebody with a token sent. */
interface Asked {
  readonly target: RequestTarget;
  readonly request: IncomingMessage;
  readonly granted: GrantedAccess;
  readonly signal: AbortSignal;
  /** Undefined when it is not traced. */
  readonly trace: TraceSpan | undefined;
}

export class FileEndpoint {
  readonly #options: FileEndpointOptions;

  constructor(options: FileEndpointOptions) {
    this.#options = options;
  }

  /** Answers one request. Never throws. */
  handle(
    kind: FileOperationKind,
    parameters: Readonly<Record<string, string | undefined>>,
    target: RequestTarget,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    this.#run(kind, target, request, response, async (asked) => {
      const { limits, budget } = this.#options;
      const body = await readBody(request, limits.maxBodyBytes, budget);
      try {
        return await this.#serve(asked, fileOperation(kind, parameters, body), body);
      } finally {
        budget.giveBack(body.length);
      }
    });
  }

  /** Takes a whole file in one body, chunk by chunk. Never throws. */
  handleWholeFile(target: RequestTarget, request: IncomingMessage, response: ServerResponse): void {
    this.#run('upload', target, request, response, async (asked) => {
      const sizeBytes = Number(request.headers['content-length'] ?? NaN);
      if (!Number.isSafeInteger(sizeBytes)) {
        throw new ByocError('MALFORMED_REQUEST', 'a file in one body needs the header "Content-Length"');
      }
      const started = await this.#serve(asked, { kind: 'upload-start', sizeBytes }, Buffer.alloc(0));
      if (started.status !== 200) return started;
      const { upload_id: upload } = JSON.parse((started.body as Buffer).toString('utf8')) as { upload_id: string };
      let chunk = 0;
      for await (const content of this.#chunksOf(request)) {
        const stored = await this.#serve(asked, { kind: 'upload-chunk', upload, chunk }, content);
        if (stored.status !== 200) return stored;
        chunk += 1;
      }
      return this.#serve(asked, { kind: 'upload-finalize', upload }, Buffer.alloc(0));
    });
  }

  async #serve(
    { target, request, granted, signal, trace }: Asked,
    operation: FileOperation,
    body: Buffer,
  ): Promise<FileAnswer> {
    const { access, databases } = this.#options;
    const ask = async ({ database, readOnly, restrictions, admission }: GrantedAccess): Promise<FileAnswer> => {
      if (restrictions?.permissions) {
        throw new ByocError('BLOCKED', 'this token permits actions on tables only, not on the file of the database');
      }
      if (readOnly && isChange(operation)) {
        throw new ByocError('BLOCKED', 'this token may only read, or writes of the database are blocked');
      }
      const isForwarded = request.headers[forwardedHeader] !== undefined;
      const clientKey = presentedKey(request.headers);
      const requestId = givenRequestId(request.headers);
      trace?.set({ 'turso.database.id': database.id });
      const asked = {
        operation,
        readOnly,
        restrictions,
        body,
        signal,
        admission,
        isForwarded,
        requestId,
        trace,
        clientKey,
      };
      return databases.serveFile(database.id, asked);
    };
    try {
      return await ask(granted);
    } catch (error) {
      if (!(error instanceof ByocError && error.code === 'DATABASE_NOT_FOUND')) throw error;
      // The name may belong to another database by now.
      const now = await access.grant(target, request.headers, request.socket);
      if (now.database.id === granted.database.id) throw error;
      return ask(now);
    }
  }

  /** The body in pieces of a chunk's length. */
  async *#chunksOf(request: IncomingMessage): AsyncGenerator<Buffer> {
    const { budget } = this.#options;
    budget.take(2 * uploadChunkBytes);
    try {
      let parts: Buffer[] = [];
      let length = 0;
      for await (const part of request as AsyncIterable<Buffer>) {
        parts.push(part);
        length += part.length;
        while (length >= uploadChunkBytes) {
          const all = Buffer.concat(parts, length);
          yield all.subarray(0, uploadChunkBytes);
          parts = [all.subarray(uploadChunkBytes)];
          length -= uploadChunkBytes;
        }
      }
      if (length > 0) yield Buffer.concat(parts, length);
    } finally {
      budget.giveBack(2 * uploadChunkBytes);
    }
  }

  #run(
    kind: FileOperationKind | 'upload',
    target: RequestTarget,
    request: IncomingMessage,
    response: ServerResponse,
    answer: (asked: Asked) => Promise<FileAnswer>,
  ): void {
    const signal = connectionSignal(request.socket);
    const { tracing } = this.#options;
    const trace = tracing && beginTrace(tracing, kind, request.headers);
    if (trace) {
      onResponseEnd(request, response, () =>
        endTrace(trace, response.writableFinished ? response.statusCode : undefined),
      );
    }
    const run = async (): Promise<void> => {
      // Before the body is read: nobody without a token makes this process hold megabytes.
      const granted = await this.#options.access.grant(target, request.headers, request.socket);
      await this.#send(response, await answer({ target, request, granted, signal, trace }));
    };
    const answered = trace ? trace.run(run) : run();
    answered.catch((error: unknown) => this.#options.server.errors.end(request, response, error, signal, trace));
  }

  async #send(response: ServerResponse, { status, type, body, sizeBytes }: FileAnswer): Promise<void> {
    const { server, runtime, limits } = this.#options;
    const length = Buffer.isBuffer(body) ? body.length : sizeBytes;
    const start = (): void => {
      if (server.drain.isLeaving) response.shouldKeepAlive = false;
      response.writeHead(status, {
        ...corsHeaders,
        'content-type': type,
        ...(length !== undefined && { 'content-length': length }),
      });
    };
    if (!Buffer.isBuffer(body)) {
      await streamBody(response, body, start, runtime, limits.stallTimeoutMs);
      return;
    }
    start();
    response.end(body);
  }
}
