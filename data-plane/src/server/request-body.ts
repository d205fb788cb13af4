import type { IncomingMessage, ServerResponse } from 'node:http';
import { ByocError } from '../errors/catalogue.js';
import type { MemoryBudget } from '../memory-budget.js';
import type { Runtime } from '../runtime.js';

/** The client broke the connection off before its request was whole; nobody is left to answer. */
export class ClientGoneError extends Error {
  override readonly name = 'ClientGoneError';
}

/**
 * The body of a request, whatever its content type. Its length stays taken from `budget` until the caller gives it
 * back; nothing stays taken when this rejects. Rejects with `REQUEST_TOO_LARGE`, `OVERLOADED` or `ClientGoneError`.
 */
export function readBody(request: IncomingMessage, maxBytes: number, budget: MemoryBudget): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const declared = Number(request.headers['content-length'] ?? 0);
    if (declared > maxBytes) {
      reject(tooLarge(maxBytes));
      return;
    }
    if (request.destroyed) {
      reject(new ClientGoneError('the client went away'));
      return;
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (error: Error | undefined): void => {
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      if (error === undefined) {
        resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, bytes));
        return;
      }
      budget.giveBack(bytes);
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      if (bytes + chunk.length > maxBytes) {
        settle(tooLarge(maxBytes));
        return;
      }
      try {
        budget.take(chunk.length);
      } catch (error) {
        settle(error as ByocError);
        return;
      }
      bytes += chunk.length;
      chunks.push(chunk);
    };
    const onEnd = (): void => settle(undefined);
    const onClose = (): void => settle(new ClientGoneError('the client went away'));
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}

function tooLarge(maxBytes: number): ByocError {
  return new ByocError('REQUEST_TOO_LARGE', `the request body is longer than ${maxBytes} bytes`);
}

/** A rest up to this length is taken in and thrown away, so that the connection stays usable. */
const smallRestBytes = 64 * 1024;
const lingerMs = 2_000;

/** True when so much of the upload may still come that the connection is better given up than read to the end. */
export function uploadRemains(request: IncomingMessage): boolean {
  if (request.complete || request.destroyed) return false;
  const declared = request.headers['content-length'];
  if (declared !== undefined) return Number(declared) > smallRestBytes;
  return request.headers['transfer-encoding'] !== undefined;
}

/**
 * Sends the answer at once but closes the connection only when the client has stopped sending or after two seconds:
 * closing with unread data makes the kernel reset the connection, and the client would never see why.
 */
export function endAfterUpload(
  request: IncomingMessage,
  response: ServerResponse,
  body: string,
  runtime: Pick<Runtime, 'schedule'>,
): void {
  response.write(body);
  const cancel = runtime.schedule(lingerMs, () => response.end());
  const end = (): void => {
    cancel();
    response.end();
  };
  request.once('end', end).once('close', end).on('error', end);
  request.resume();
}
