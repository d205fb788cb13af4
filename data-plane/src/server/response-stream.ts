import type { Runtime } from '../runtime.js';

/** Where a streamed body goes: Node's response, or a connection of the fast lane. */
export interface BodySink {
  /** The client is gone. */
  readonly destroyed: boolean;
  /** False when the connection takes no more for now; `drain` tells when it does. */
  write(part: Buffer): boolean;
  end(): void;
  on(event: 'drain' | 'close', run: () => void): this;
  off(event: 'drain' | 'close', run: () => void): this;
}

/** The client took nothing of its answer for too long. */
export class ClientStalledError extends Error {
  override readonly name = 'ClientStalledError';
}

/**
 * Sends the parts of an answer as they come; the next one is asked for only when the connection can take it. Resolves
 * when everything was handed over or the client is gone. Rejects with what the source threw, and with
 * `ClientStalledError` when the client takes nothing for `stallTimeoutMs`.
 *
 * `start` is called once, when the first part is there: until then a failure can still be answered as an error.
 */
export async function streamBody(
  response: BodySink,
  parts: AsyncIterable<Buffer>,
  start: () => void,
  runtime: Pick<Runtime, 'schedule'>,
  stallTimeoutMs: number,
): Promise<void> {
  let started = false;
  for await (const part of parts) {
    if (response.destroyed) return;
    if (!started) {
      started = true;
      start();
    }
    if (!response.write(part)) await drained(response, runtime, stallTimeoutMs);
  }
  if (!started) start();
  response.end();
}

function drained(response: BodySink, runtime: Pick<Runtime, 'schedule'>, stallTimeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    if (response.destroyed) {
      resolve();
      return;
    }
    const settle = (): void => {
      cancel();
      response.off('drain', settle).off('close', settle);
      resolve();
    };
    const cancel = runtime.schedule(stallTimeoutMs, () => {
      response.off('drain', settle).off('close', settle);
      reject(new ClientStalledError(`the client took nothing for ${stallTimeoutMs} ms`));
    });
    response.on('drain', settle).on('close', settle);
  });
}
