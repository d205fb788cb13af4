/** What a client asks of `/pull-updates`, in Protobuf. Field numbers are those of the protocol. */
import { ByocError } from '../errors/catalogue.js';
import { readFields } from '../hrana/protobuf-reader.js';
import { maxSelectorBytes } from './page-selector.js';
import { maxRevisionLength } from './revision.js';

export type PageEncoding = 'raw' | 'zstd';

export interface PullRequest {
  /** What the client can read; `zstd` allows `raw` as well. */
  readonly encoding: PageEncoding;
  /** The position whose pages are asked for; absent: the latest. */
  readonly serverRevision?: string;
  /** The position that the client is at; absent: it has nothing. */
  readonly clientRevision?: string;
  /** How long the answer may wait for something new. */
  readonly longPollTimeoutMs: number;
  /** A Roaring bitmap of pages, counted from 0; absent: all. */
  readonly pages?: Buffer;
  /** A query whose pages are asked for. */
  readonly query?: string;
  /** A Roaring bitmap of the pages that the client has and that need not be sent when they are the same. */
  readonly clientPages?: Buffer;
}

export const maxQueryLength = 64 * 1024;
/** Longest body: both selectors, a query, and what surrounds them. */
export const maxPullBytes = 2 * maxSelectorBytes + 4 * maxQueryLength;

const encodings: readonly PageEncoding[] = ['raw', 'zstd'];

/** Throws `MALFORMED_REQUEST`, `REQUEST_TOO_LARGE`. A field that nobody knows is passed over. */
export function decodePullRequest(body: Buffer): PullRequest {
  if (body.length > maxPullBytes) {
    throw new ByocError('REQUEST_TOO_LARGE', `a pull may have ${maxPullBytes} bytes`);
  }
  let encoding: PageEncoding = 'raw';
  let longPollTimeoutMs = 0;
  let serverRevision = '';
  let clientRevision = '';
  let query = '';
  let pages: Buffer | undefined;
  let clientPages: Buffer | undefined;
  readFields(body, 'the pull', (field) => {
    if (field.number === 1) encoding = encodings[field.uint32()] ?? refuse('asks for an encoding that there is not');
    else if (field.number === 2) serverRevision = field.string();
    else if (field.number === 3) clientRevision = field.string();
    else if (field.number === 4) longPollTimeoutMs = field.uint32();
    else if (field.number === 5) pages = field.bytes();
    else if (field.number === 6) clientPages = field.bytes();
    else if (field.number === 7) query = field.string();
    // Whoever asks for a logical log takes pages as well; only the two kinds are known.
    else if (field.number === 8 && field.uint32() > 1) refuse('asks for a kind of stream that there is not');
  });
  if (query.length > maxQueryLength) refuse(`has a query of more than ${maxQueryLength} characters`);
  for (const revision of [serverRevision, clientRevision]) {
    if (revision.length > maxRevisionLength) refuse('names a revision that is none');
  }
  return {
    encoding,
    longPollTimeoutMs,
    ...(serverRevision !== '' && { serverRevision }),
    ...(clientRevision !== '' && { clientRevision }),
    ...(pages && pages.length > 0 && { pages }),
    ...(clientPages && clientPages.length > 0 && { clientPages }),
    ...(query !== '' && { query }),
  };
}

function refuse(what: string): never {
  throw new ByocError('MALFORMED_REQUEST', `the pull ${what}`);
}
