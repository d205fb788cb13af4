import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient as createDatabaseClient, type Client } from '@libsql/client';
import { createClient as createApiClient } from '@tursodatabase/api';
// The built files: they start the built programs beside them.
import { startLocal, type RunningLocalSystem } from '../../dist/local/start-local.js';

export interface LocalSystemForTests {
  readonly system: RunningLocalSystem;
  /** The official Platform SDK, pointed at the system. */
  readonly api: ReturnType<typeof createApiClient>;
  /** What the launcher told its user. */
  readonly reports: string[];
  readonly dataDirectory: string;
  /** A call of the Platform API without the SDK: its status and JSON body. */
  readonly call: (
    method: string,
    path: string,
    body?: unknown,
  ) => Promise<{ status: number; body: Record<string, unknown> }>;
  /** A client of a database, by path URL. */
  readonly open: (database: string, authToken: string) => Client;
  /** Waits until the launcher has told its user something like this. */
  readonly reported: (pattern: RegExp) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Starts a whole local system in a directory of its own, on free ports. */
export async function startLocalSystemForTests(
  options: {
    readonly controlPlane?: string;
    readonly environment?: NodeJS.ProcessEnv;
    /** Fills the data directory before the start. */
    readonly prepare?: (dataDirectory: string) => Promise<void>;
    /** @default a free one */
    readonly apiPort?: number;
  } = {},
): Promise<LocalSystemForTests> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'local-system-'));
  await options.prepare?.(dataDirectory);
  const reports: string[] = [];
  const listeners = new Set<() => void>();
  const system = await startOrCleanUp({
    dataDirectory,
    httpPort: 0,
    apiPort: options.apiPort ?? 0,
    commitWindowMs: 1,
    report: (line) => {
      reports.push(line);
      for (const listener of listeners) listener();
    },
    environment: { ...process.env, ...options.environment },
    entries: options.controlPlane === undefined ? {} : { controlPlane: options.controlPlane },
  });
  const clients: Client[] = [];
  return {
    system,
    api: createApiClient({ org: system.organization, token: system.token, baseUrl: `${system.apiUrl}/v1/` }),
    reports,
    dataDirectory,
    call: async (method, path, body) => {
      const response = await fetch(`${system.apiUrl}${path}`, {
        method,
        headers: { authorization: `Bearer ${system.token}` },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    },
    open: (database, authToken) => {
      const client = createDatabaseClient({
        url: `${system.dataUrl}/db/${database}-${system.organization}/`,
        authToken,
      });
      clients.push(client);
      return client;
    },
    reported: async (pattern) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!reports.some((line) => pattern.test(line))) return;
          listeners.delete(check);
          resolve();
        };
        listeners.add(check);
        check();
      }),
    stop: async () => {
      for (const client of clients) client.close();
      await system.stop();
      await rm(dataDirectory, { recursive: true });
    },
  };
}

/** Starts the system, or removes the directory of one that does not start. */
async function startOrCleanUp(options: Parameters<typeof startLocal>[0]): Promise<RunningLocalSystem> {
  try {
    return await startLocal(options);
  } catch (error) {
    await rm(options.dataDirectory, { recursive: true });
    throw error;
  }
}
