import type { RequestContext } from '../engine/process/request-context.js';
import type { Session } from '../engine/process/session.js';
import type { Signal } from '../engine/process/task.js';
import { StoredSql } from './stored-sql.js';

/** A Hrana stream: a session that goes on from request to request, and the SQL texts stored in it. */
export class Stream {
  readonly session: Session;
  readonly storedSql = new StoredSql();
  /** Set once the stream outlives a request. */
  id: string | undefined;
  /** Secret of the one valid baton; undefined while none is. */
  secret: string | undefined;
  /** The request that uses the stream now, and what is raised when it does no more. */
  running: { readonly context: RequestContext; readonly ended: Signal } | undefined;
  /** On the monotonic clock. */
  lastUsedMs = 0;

  constructor(session: Session) {
    this.session = session;
  }

  /** True when the next request would miss something if the stream ended now. */
  get mustBeKept(): boolean {
    return this.session.mustBeKept || !this.storedSql.isEmpty;
  }
}
