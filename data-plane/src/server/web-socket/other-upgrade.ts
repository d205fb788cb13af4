import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';

const withdrawn = new Set(['upgrade', 'connection', 'http2-settings']);

/**
 * A client may offer to change to a protocol that is not spoken here (`h2c` by some); it is then to be answered as if it had
 * not (RFC 9110, 7.8). Node gives such a request up with its connection, so it is put back without the offer.
 */
export function ignoreUpgrade(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method = 'GET', url = '/', rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/1.1`];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2);
    if (!withdrawn.has(name.toLowerCase())) lines.push(`${name}: ${value}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit('connection', socket);
}
