/**
 * Signs tokens with an Ed25519 key in KMS. KMS takes the whole message of a pure Ed25519 signature, at most 4096 bytes, so a token
 * with more claims than that cannot be signed there; those of this control plane have some hundred.
 */
import { createPublicKey, verify } from 'node:crypto';
import type { KmsOptions } from '@turso-byoc/data-plane/keys/kms/kms-options.js';
import { calculateJwkThumbprint } from 'jose';
import { ControlPlaneError } from '../errors/catalogue.js';
import type { TokenSigner } from './token-signer.js';

/** The two things that are asked of KMS. */
export interface SigningService {
  /** The public key: SubjectPublicKeyInfo in DER. */
  publicKey(): Promise<Uint8Array>;
  /** The Ed25519 signature of a message, 64 bytes. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** The signer of a key in KMS. Signs once to try it. Throws `SIGNING_KEY_INVALID` when the key cannot be used. */
export async function kmsTokenSigner(service: SigningService, where: string): Promise<TokenSigner> {
  const key = createPublicKey({
    key: Buffer.from(await asking(where, service.publicKey())),
    format: 'der',
    type: 'spki',
  });
  const jwk = key.export({ format: 'jwk' });
  if (key.asymmetricKeyType !== 'ed25519' || typeof jwk.x !== 'string') {
    throw new ControlPlaneError('SIGNING_KEY_INVALID', `the key ${where} is not an Ed25519 key`);
  }
  const probe = Buffer.from('probe');
  if (!verify(null, probe, key, await asking(where, service.sign(probe)))) {
    throw new ControlPlaneError(
      'SIGNING_KEY_INVALID',
      `the key ${where} makes signatures that its public key does not verify`,
    );
  }
  const kid = await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x: jwk.x });
  return {
    kid,
    publicKey: jwk.x,
    sign: async (claims) => signed(service, { typ: 'JWT', kid }, Buffer.from(JSON.stringify(claims))),
    signBytes: async (bytes, type) => signed(service, { typ: type, kid }, bytes),
  };
}

/** KMS as the signing service. The SDK is loaded only where it is used. */
export async function kmsSigningService({ keyId, region, endpoint }: KmsOptions): Promise<SigningService> {
  const { GetPublicKeyCommand, KMSClient, SignCommand } = await import('@aws-sdk/client-kms');
  const client = new KMSClient({
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    maxAttempts: 4,
  });
  return {
    publicKey: async () => {
      const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId: keyId }));
      return PublicKey ?? new Uint8Array();
    },
    sign: async (message) => {
      const { Signature } = await client.send(
        new SignCommand({ KeyId: keyId, Message: message, MessageType: 'RAW', SigningAlgorithm: 'ED25519_SHA_512' }),
      );
      return Signature ?? new Uint8Array();
    },
  };
}

async function asking<T>(where: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw new ControlPlaneError('SIGNING_KEY_INVALID', `the key ${where} cannot be used: ${String(error)}`, {
      cause: error,
    });
  }
}

async function signed(
  service: SigningService,
  header: { readonly typ: string; readonly kid: string },
  payload: Uint8Array,
): Promise<string> {
  const head = Buffer.from(JSON.stringify({ alg: 'EdDSA', ...header }));
  const input = `${head.toString('base64url')}.${Buffer.from(payload).toString('base64url')}`;
  const signature = await service.sign(Buffer.from(input));
  return `${input}.${Buffer.from(signature).toString('base64url')}`;
}
