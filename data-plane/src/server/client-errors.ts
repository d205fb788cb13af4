import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { ByocError } from '../errors/catalogue.js';
import { errorBody } from '../errors/error-body.js';

/** What Node adds to a socket and to the errors of its HTTP parser. */
interface HttpSocket extends Socket {
  /** The answer being written on this connection. */
  readonly _httpMessage?: ServerResponse | null;
}
interface ParserError extends Error {
  readonly code?: string;
}

/**
 * Answers what is no HTTP request, or none that came in time; there is no request object for it, so the answer is
 * written by hand, and the connection closed.
 */
export function answerClientError(error: ParserError, socket: Socket, log: Logger, requestId: string): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const answering = (socket as HttpSocket)._httpMessage;
  if (answering && (answering.headersSent || answering.req.complete)) {
    // An answer to an earlier request is due on this connection; anything else would be taken for it.
    socket.destroy();
    return;
  }
  const refusal = refusalOf(error);
  log.debug({ requestId, code: refusal.code, status: refusal.status, reason: error.code }, 'request refused');
  const body = JSON.stringify(errorBody(refusal));
  socket.end(
    [
      `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? ''}`,
      'access-control-allow-origin: *',
      'connection: close',
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(body)}`,
      `x-request-id: ${requestId}`,
      '',
      body,
    ].join('\r\n'),
  );
}

function refusalOf(error: ParserError): ByocError {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return new ByocError('REQUEST_HEADERS_TOO_LARGE', 'the request line and the headers are too long', {
        cause: error,
      });
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ByocError('REQUEST_TIMEOUT', 'the request did not arrive in time', { cause: error });
    default:
      return new ByocError('MALFORMED_REQUEST', 'this is not an HTTP/1.1 request', { cause: error });
  }
}
