import type { DatabaseHost } from './database-host.js';
import type { RequestContext } from './request-context.js';
import type { ResponseStream } from './response-stream.js';
import type { Task } from './task.js';

/** The protocol that requests of one database speak. One instance lives as long as its database is open. */
export interface RequestFace {
  /**
   * Executes one request and sends the last part of its response, whatever happens; only when the database is lost
   * (`PoisonedError` is handled here, too) may the response stay unfinished.
   */
  serve(context: RequestContext, response: ResponseStream): Task;
  /** Ends what the face keeps between requests; the database is about to be closed. */
  close(): void;
}

export type NewRequestFace = (host: DatabaseHost) => RequestFace;
