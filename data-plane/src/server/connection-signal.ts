import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';

const controllers = new WeakMap<Socket, AbortController>();

/**
 * Aborted when the connection closes, which is how an HTTP/1.1 client goes away. One signal serves all requests of a
 * connection, because making one costs more than anything else this process does for a point select.
 */
export function connectionSignal(socket: Socket): AbortSignal {
  let controller = controllers.get(socket);
  if (controller === undefined) {
    const created = new AbortController();
    // As many as a client sends requests ahead.
    setMaxListeners(0, created.signal);
    socket.once('close', () => created.abort());
    controllers.set(socket, created);
    controller = created;
  }
  return controller.signal;
}
