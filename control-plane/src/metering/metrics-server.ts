import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { isByocError } from '@turso-byoc/data-plane/errors/catalogue.js';
import { AdminCredential } from '@turso-byoc/data-plane/server/admin-credential.js';
import type { ControlMetrics } from './control-metrics.js';

export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

export interface MetricsServerOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** What the collector shows as a bearer token: the admin credential of the deployment. */
  readonly credential: string;
  readonly metrics: ControlMetrics;
}

/** Serves `GET /metrics` on a port of its own, which no client of the Platform API reaches. Resolves when it listens. */
export async function serveMetrics({
  host,
  port,
  credential: secret,
  metrics,
}: MetricsServerOptions): Promise<MetricsServer> {
  const credential = new AdminCredential(secret);
  const server: Server = createServer((request, response) => {
    try {
      credential.assert(request.headers.authorization);
    } catch (error) {
      if (!isByocError(error)) throw error;
      response.writeHead(401, { 'content-type': 'text/plain' }).end('the admin credential is needed here\n');
      return;
    }
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('there is only GET /metrics\n');
      return;
    }
    metrics.expose().then(
      ({ contentType, text }) => response.writeHead(200, { 'content-type': contentType }).end(text),
      (error: unknown) => response.destroy(error instanceof Error ? error : new Error(String(error))),
    );
  });
  server.listen(port, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
