import { generateKeyPairSync, randomBytes, randomUUID, sign, type KeyObject } from 'node:crypto';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  databaseTokenAudience,
  verificationKeysObject,
  type DatabaseTokenClaims,
  type VerificationKeySet,
} from '@turso-byoc/data-plane/auth/claims.js';
import { LocalObjectStore } from '@turso-byoc/data-plane/object-store/local-object-store.js';

const kid = 'bench';

/** What a data node needs around it, in one directory, as a control plane would have set it up. */
export class Deployment {
  private constructor(
    readonly directory: string,
    readonly adminCredential: string,
    private readonly signingKey: KeyObject,
  ) {}

  /** Creates everything in `directory`, which is empty or does not exist. */
  static async create(directory: string): Promise<Deployment> {
    for (const name of ['', 'store', 'keys', 'cache'])
      await mkdir(join(directory, name), { recursive: true, mode: 0o700 });
    // Engine processes run as users of their own and must be able to pass through.
    await chmod(directory, 0o711);
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const deployment = new Deployment(directory, randomBytes(24).toString('hex'), privateKey);
    await writeFile(deployment.adminCredentialFile, deployment.adminCredential, { mode: 0o600 });
    const keys: VerificationKeySet = {
      format: 'turso-byoc/verification-keys/1',
      version: 1,
      keys: [{ kid, algorithm: 'Ed25519', publicKey: String(publicKey.export({ format: 'jwk' }).x) }],
    };
    const control = await deployment.openStore('control');
    await control.put(verificationKeysObject, Buffer.from(JSON.stringify(keys)), { ifAbsent: true });
    return deployment;
  }

  get adminCredentialFile(): string {
    return join(this.directory, 'admin-credential');
  }

  get storeDirectory(): string {
    return join(this.directory, 'store');
  }

  get keyDirectory(): string {
    return join(this.directory, 'keys', 'local');
  }

  get cacheDirectory(): string {
    return join(this.directory, 'cache');
  }

  /** One of the local object stores, opened beside the node. */
  async openStore(name: 'data' | 'log' | 'control'): Promise<LocalObjectStore> {
    const directory = join(this.storeDirectory, name);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return LocalObjectStore.open(directory);
  }

  /** A token that opens every database of a group, read-write, for ever. */
  groupToken(groupId: string): string {
    const claims: DatabaseTokenClaims = {
      aud: databaseTokenAudience,
      iat: Math.floor(Date.now() / 1000),
      jti: randomUUID(),
      a: 'rw',
      gid: groupId,
    };
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const text = `${encode({ alg: 'EdDSA', typ: 'JWT', kid })}.${encode(claims)}`;
    return `${text}.${sign(null, Buffer.from(text), this.signingKey).toString('base64url')}`;
  }
}
