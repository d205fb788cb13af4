import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { corsHeaders } from '../cors.js';
import type { Refusal } from '../error-responder.js';

/** Answers a request for a WebSocket with an error, and closes the connection: there is no response object for it. */
export function refuseUpgrade(socket: Duplex, { error, requestId, body }: Refusal): void {
  const headers = {
    ...corsHeaders,
    connection: 'close',
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-request-id': requestId,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.on('error', () => socket.destroy());
  socket.end([`HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? ''}`, ...lines, '', body].join('\r\n'));
}
