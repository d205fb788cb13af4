/** The object stores that a cluster under test runs on: directories, or buckets of a real S3 server. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalObjectStore } from '@turso-byoc/data-plane/object-store/local-object-store.js';
import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import { S3ObjectStore } from '@turso-byoc/data-plane/object-store/s3/s3-object-store.js';
import { systemRuntime } from '@turso-byoc/data-plane/runtime.js';
import { S3Server, versitygw } from '../s3/s3-server.js';

export interface ClusterStore {
  /** The settings of nodes that use it. */
  readonly environment: Readonly<Record<string, string>>;
  /** The data store, to look at. */
  readonly data: ObjectStore;
  /** How the server is stopped and started again; absent where there is none. */
  readonly server?: Pick<S3Server, 'halt' | 'resume'>;
  dispose(): Promise<void>;
}

export type ClusterStoreKind = 'file' | 'versitygw';

/** Throws when the S3 server is not installed. */
export async function openClusterStore(kind: ClusterStoreKind): Promise<ClusterStore> {
  return kind === 'file' ? directories() : buckets();
}

async function directories(): Promise<ClusterStore> {
  const directory = await mkdtemp(join(tmpdir(), 'turso-byoc-cluster-'));
  return {
    environment: {
      TURSO_BYOC_DATA_STORE: `file://${directory}/data`,
      TURSO_BYOC_LOG_STORE: `file://${directory}/log`,
    },
    data: await LocalObjectStore.open(join(directory, 'data')),
    dispose: async () => rm(directory, { recursive: true, force: true, maxRetries: 5 }),
  };
}

async function buckets(): Promise<ClusterStore> {
  const installed = process.env[versitygw.variable];
  if (!installed) {
    throw new Error(
      `${versitygw.variable} is not set: .ci/install-s3-servers, then eval "$(.ci/install-s3-servers --environment)"`,
    );
  }
  const server = await S3Server.start(versitygw, installed);
  const [data, log] = [await server.newStore(), await server.newStore()];
  const store = new S3ObjectStore(data, systemRuntime, () => undefined);
  return {
    environment: {
      ...server.environment,
      TURSO_BYOC_DATA_STORE: `s3://${data.bucket}/${data.keyPrefix}`,
      TURSO_BYOC_LOG_STORE: `s3://${log.bucket}/${log.keyPrefix}`,
    },
    data: store,
    server,
    dispose: async () => {
      store.close();
      await server.stop();
    },
  };
}
