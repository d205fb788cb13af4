import { randomBytes } from 'node:crypto';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { newSigningKeyFileContent } from '../auth/token-signer.js';
import { ensurePrivateFile } from './private-file.js';

/** Where everything of a local system lies. */
export interface DataDirectory {
  readonly root: string;
  /** The object stores: `data`, `log` and `control`. */
  readonly store: string;
  readonly controlStore: string;
  /** The local key service's own files. */
  readonly keys: string;
  /** What the data node may throw away. */
  readonly cache: string;
  readonly logs: string;
  readonly lock: string;
  readonly adminCredential: string;
  readonly signingKey: string;
  readonly platformToken: string;
  /** The processes of the running system. */
  readonly children: string;
  /** How to reach the running system; there while it runs. */
  readonly localJson: string;
}

export function dataDirectoryLayout(root: string): DataDirectory {
  return {
    root,
    store: join(root, 'store'),
    controlStore: join(root, 'store', 'control'),
    keys: join(root, 'keys'),
    cache: join(root, 'cache'),
    logs: join(root, 'logs'),
    lock: join(root, 'lock'),
    adminCredential: join(root, 'secrets', 'admin-credential'),
    signingKey: join(root, 'secrets', 'signing-key.json'),
    platformToken: join(root, 'secrets', 'platform-token'),
    children: join(root, 'children.json'),
    localJson: join(root, 'local.json'),
  };
}

/** Others may pass through on their way to what is theirs, and list nothing. */
const passThrough = 0o711;
const ownerOnly = 0o700;

/**
 * Creates what is missing of the directory. Only the owner may look into what this creates; through the root of it and
 * the cache the engine processes' own users reach their files.
 */
export async function createDirectories(layout: DataDirectory): Promise<void> {
  for (const directory of [layout.root, layout.cache]) {
    await mkdir(directory, { recursive: true, mode: ownerOnly });
    await chmod(directory, passThrough);
  }
  const directories = [
    join(layout.store, 'data'),
    join(layout.store, 'log'),
    layout.controlStore,
    layout.keys,
    layout.logs,
    join(layout.root, 'secrets'),
  ];
  for (const directory of directories) await mkdir(directory, { recursive: true, mode: ownerOnly });
}

/** Makes the secrets that are missing. The caller holds the directory's lock. */
export async function createSecrets(layout: DataDirectory): Promise<void> {
  await ensurePrivateFile(layout.adminCredential, () => `${randomBytes(32).toString('hex')}\n`);
  await ensurePrivateFile(layout.signingKey, newSigningKeyFileContent);
}
