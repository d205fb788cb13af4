/** KMS emulators of others, started for a test, with keys in them whose states a test may change. */
import { fileURLToPath } from 'node:url';
import {
  CancelKeyDeletionCommand,
  CreateAliasCommand,
  CreateGrantCommand,
  CreateKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  KMSClient,
  RevokeGrantCommand,
  ScheduleKeyDeletionCommand,
  UpdateAliasCommand,
} from '@aws-sdk/client-kms';
import type { KeyState } from '@turso-byoc/data-plane/keys/key-service.js';
import type { KmsOptions } from '@turso-byoc/data-plane/keys/kms/kms-options.js';
import { ThirdPartyServer, type ServerCommand } from '../support/third-party-server.js';

export interface KmsServerKind {
  readonly name: string;
  /** The environment variable that says where it is installed; see `.ci/install-kms-servers`. */
  readonly variable: string;
  /** Whether a key that is disabled or scheduled for deletion is refused. */
  readonly honoursStates: boolean;
  /** Whether a wrapped key that was altered, or that another key wraps, is told from a key that may not be used. */
  readonly tellsMismatches: boolean;
  /** Whether every byte of a wrapped key is checked, also those that name the key. */
  readonly checksHeader: boolean;
  readonly knowsGrants: boolean;
  readonly command: (installed: string, where: { directory: string; port: number }) => ServerCommand;
}

const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
const region = 'us-east-1';

export const motoKms: KmsServerKind = {
  name: 'moto',
  variable: 'TURSO_BYOC_TEST_MOTO',
  honoursStates: false,
  tellsMismatches: false,
  checksHeader: true,
  knowsGrants: true,
  command: (installed, { port }) => ({
    program: installed,
    arguments: [fileURLToPath(new URL('../s3/serial-moto.py', import.meta.url)), String(port)],
  }),
};

export const localKms: KmsServerKind = {
  name: 'local-kms',
  variable: 'TURSO_BYOC_TEST_LOCAL_KMS',
  honoursStates: true,
  tellsMismatches: true,
  checksHeader: false,
  knowsGrants: false,
  command: (installed, { directory, port }) => ({ program: installed, arguments: [String(port), directory] }),
};

export class KmsServer {
  readonly #server: ThirdPartyServer;
  readonly #client: KMSClient;
  #aliases = 0;

  private constructor(server: ThirdPartyServer) {
    this.#server = server;
    this.#client = new KMSClient({ region, endpoint: server.endpoint, credentials });
  }

  static async start(kind: KmsServerKind, installed: string): Promise<KmsServer> {
    return new KmsServer(await ThirdPartyServer.start(kind.name, (where) => kind.command(installed, where)));
  }

  get endpoint(): string {
    return this.#server.endpoint;
  }

  /** Ends the server for good. */
  async stop(): Promise<void> {
    this.#client.destroy();
    await this.#server.stop();
  }

  /** Kills the server; `resume` starts it again, with nothing of what it held in memory. */
  async halt(): Promise<void> {
    await this.#server.halt();
  }

  async resume(): Promise<void> {
    await this.#server.resume();
  }

  options(keyId: string): KmsOptions {
    return { keyId, region, endpoint: this.endpoint, credentials };
  }

  /** The environment of a process that is to use this server. */
  get environment(): Record<string, string> {
    return {
      AWS_ENDPOINT_URL_KMS: this.endpoint,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    };
  }

  /** The ARN of a new key. */
  async newKey(usage: 'ENCRYPT_DECRYPT' | 'SIGN_VERIFY' = 'ENCRYPT_DECRYPT'): Promise<string> {
    const spec = usage === 'SIGN_VERIFY' ? ({ KeySpec: 'RSA_2048', KeyUsage: usage } as const) : {};
    const { KeyMetadata } = await this.#client.send(new CreateKeyCommand(spec));
    if (KeyMetadata?.Arn === undefined) throw new Error('the emulator made a key without an ARN');
    return KeyMetadata.Arn;
  }

  /** A new alias of a key. */
  async newAlias(keyArn: string): Promise<string> {
    this.#aliases += 1;
    const alias = `alias/test-${process.pid}-${this.#aliases}`;
    await this.#client.send(new CreateAliasCommand({ AliasName: alias, TargetKeyId: keyArn }));
    return alias;
  }

  async moveAlias(alias: string, keyArn: string): Promise<void> {
    await this.#client.send(new UpdateAliasCommand({ AliasName: alias, TargetKeyId: keyArn }));
  }

  async setState(keyArn: string, state: KeyState): Promise<void> {
    // By its id: moto knows no ARN here.
    const key = { KeyId: keyArn.replace(/^.*:key\//, '') };
    if (state === 'disabled') await this.#client.send(new DisableKeyCommand(key));
    else if (state === 'pending-deletion') {
      await this.#client.send(new ScheduleKeyDeletionCommand({ ...key, PendingWindowInDays: 7 }));
    } else {
      // Only a key that is scheduled for deletion has one to cancel; it is disabled afterwards.
      await this.#client.send(new CancelKeyDeletionCommand(key)).catch((error: unknown) => {
        if (!(error instanceof Error && error.name === 'KMSInvalidStateException')) throw error;
      });
      await this.#client.send(new EnableKeyCommand(key));
    }
  }

  /** Grants the use of a key; resolves to a function that revokes the grant. */
  async grant(keyArn: string): Promise<() => Promise<void>> {
    const { GrantId } = await this.#client.send(
      new CreateGrantCommand({
        KeyId: keyArn,
        GranteePrincipal: 'arn:aws:iam::123456789012:role/data-node',
        Operations: ['Decrypt', 'GenerateDataKeyWithoutPlaintext', 'ReEncryptFrom', 'ReEncryptTo'],
      }),
    );
    return async () => {
      await this.#client.send(new RevokeGrantCommand({ KeyId: keyArn, GrantId }));
    };
  }
}
