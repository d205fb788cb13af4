/**
 * Entry of the bare server: Node's own HTTP server that reads the body of a request and answers with fixed bytes. No
 * server in Node.js that uses `node:http` can be faster, so it is what the data node is measured against.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FromBareServer, RecordedAnswer } from './bare-server.js';

let answer: RecordedAnswer | undefined;
const send = (message: FromBareServer): void => void process.send?.(message);

const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    const body = Buffer.concat(parts);
    if (answer === undefined || body.length === 0) {
      response.writeHead(500, { 'content-length': 0 }).end();
      return;
    }
    response.writeHead(answer.status, answer.headers).end(answer.body);
  });
});

process.on('message', (message: RecordedAnswer) => {
  answer = message;
  send({ type: 'answering' });
});
process.once('disconnect', () => process.exit(0));
server.listen(0, '127.0.0.1', () => send({ type: 'listening', port: (server.address() as AddressInfo).port }));
