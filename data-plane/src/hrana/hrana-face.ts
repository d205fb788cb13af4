import { PoisonedError } from '../engine/process/poisoned.js';
import type { DatabaseHost } from '../engine/process/database-host.js';
import { RequestAbandoned, type RequestContext } from '../engine/process/request-context.js';
import type { RequestFace } from '../engine/process/request-face.js';
import type { ResponseStream } from '../engine/process/response-stream.js';
import type { Task } from '../engine/process/task.js';
import { ByocError, isByocError } from '../errors/catalogue.js';
import { errorBody } from '../errors/error-body.js';
import type { Runtime } from '../runtime.js';
import { serveCursor } from './cursor.js';
import { jsonEncoding } from './json-encoding.js';
import { DumpLoad } from './dump/load-dump.js';
import { serveDump } from './dump/serve-dump.js';
import { serveFileCheck } from './file/check-file.js';
import { serveReplicaPush } from './file/push-frames.js';
import { servePipeline } from './pipeline.js';
import { protobufEncoding } from './protobuf-encoding.js';
import { serveSingleRequest } from './single-request.js';
import { StreamTable } from './stream-table.js';

/** The Hrana protocol over HTTP, for one database. */
export class HranaFace implements RequestFace {
  readonly #host: DatabaseHost;
  readonly #streams: StreamTable;
  /** The dump that the database is made of, where it is. */
  #load: DumpLoad | undefined;

  constructor(host: DatabaseHost, runtime: Runtime) {
    this.#host = host;
    this.#streams = new StreamTable(host, runtime);
  }

  *serve(context: RequestContext, response: ResponseStream): Task {
    try {
      yield* this.#serve(context, response);
    } catch (error) {
      this.#fail(error, response);
    }
  }

  *#serve(context: RequestContext, response: ResponseStream): Task {
    const host = this.#host;
    const streams = this.#streams;
    switch (context.kind) {
      case 'v2-pipeline':
      case 'v3-pipeline':
        return yield* servePipeline(host, streams, context, response, jsonEncoding);
      case 'v3-cursor':
        return yield* serveCursor(host, streams, context, response, jsonEncoding);
      case 'v3-protobuf-pipeline':
        return yield* servePipeline(host, streams, context, response, protobufEncoding);
      case 'v3-protobuf-cursor':
        return yield* serveCursor(host, streams, context, response, protobufEncoding);
      case 'v1-execute':
      case 'v1-batch':
        return yield* serveSingleRequest(host, streams, context, response);
      case 'dump':
        return yield* serveDump(host, context, response);
      case 'dump-load':
        this.#load ??= new DumpLoad(host);
        this.#load.serve(context.body, response);
        return;
      case 'file-check':
        serveFileCheck(host, response);
        return;
      case 'replica-push':
        return yield* serveReplicaPush(host, context, response);
    }
  }

  close(): void {
    this.#streams.closeAll();
  }

  #fail(error: unknown, response: ResponseStream): void {
    if (error instanceof PoisonedError) {
      // Without an answer of its own the I/O process answers for the lost database.
      if (error.answer) this.#answer(error.answer, response);
    } else if (error instanceof RequestAbandoned) {
      // Nobody reads it; it tells the I/O process that the request is over.
      this.#answer(new ByocError('STREAM_EXPIRED', 'the client went away'), response);
    } else if (isByocError(error)) {
      this.#answer(error, response);
    } else {
      console.error('a request failed unexpectedly:', error);
      this.#answer(new ByocError('INTERNAL', 'the engine process met an internal error'), response);
    }
  }

  #answer(error: ByocError, response: ResponseStream): void {
    const body = errorBody(error);
    // The text of `error` is what Turso Cloud answers; `message` and `code` are what the clients look at.
    const shown = error.code === 'STREAM_EXPIRED' ? { ...body, error: `stream not found: ${error.message}` } : body;
    response.send(error.status, this.#host.commit, Buffer.from(JSON.stringify(shown)), true);
  }
}
