import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Calls `ended` once, when the response was handed over whole (`response.writableFinished`) or its connection is gone.
 *
 * Node tells a response of the end of its connection only when it was its turn to be written. One that waits behind
 * another (a client that sends requests ahead) would never hear of it, so it listens to the connection itself.
 */
export function onResponseEnd(request: IncomingMessage, response: ServerResponse, ended: () => void): void {
  if (response.socket !== null) {
    response.once('close', ended);
    return;
  }
  const { socket } = request;
  const end = (): void => {
    socket.off('close', end);
    response.off('close', end);
    if (!response.writableFinished) response.destroy();
    ended();
  };
  // As many as a client sends ahead; each goes when its response does.
  socket.setMaxListeners(0);
  socket.once('close', end);
  response.once('close', end);
}
