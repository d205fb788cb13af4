import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  type JsonWebKeyInput,
  type KeyObject,
} from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { calculateJwkThumbprint, CompactSign, SignJWT, type JWTPayload } from 'jose';
import { ControlPlaneError } from '../errors/catalogue.js';
import { kmsSigningService, kmsTokenSigner } from './kms-token-signer.js';
import type { SigningKeySource } from './signing-key-source.js';

/** Signs tokens with one Ed25519 key. The key itself cannot be read back out of it. */
export interface TokenSigner {
  /** Id of the verification key (RFC 7638 thumbprint); every token's header carries it. */
  readonly kid: string;
  /** Raw 32-byte public key, base64url without padding. */
  readonly publicKey: string;
  /** A compact EdDSA JWT of these claims. */
  sign(claims: JWTPayload): Promise<string>;
  /** A compact EdDSA JWS of these bytes; `type` says what they are, so that nobody takes them for something else. */
  signBytes(bytes: Uint8Array, type: string): Promise<string>;
}

/** A fresh Ed25519 private key as JWK text, the content of a signing key file. */
export function newSigningKeyFileContent(): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  return `${JSON.stringify(privateKey.export({ format: 'jwk' }))}\n`;
}

/** The signer of whatever kind of key. Throws `SIGNING_KEY_INVALID`. */
export async function openTokenSigner(source: SigningKeySource): Promise<TokenSigner> {
  switch (source.kind) {
    case 'file':
      return loadTokenSigner(source.path);
    case 'seed':
      return signerOf(privateKeyOfSeed(source.hex), 'the seed');
    case 'kms':
      return kmsTokenSigner(await kmsSigningService(source.options), source.options.keyId);
  }
}

/** The signer for the key in a file: a private JWK, or PKCS#8 in PEM. Throws `SIGNING_KEY_INVALID`. */
export async function loadTokenSigner(path: string): Promise<TokenSigner> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new ControlPlaneError('SIGNING_KEY_INVALID', `the signing key file ${path} cannot be read`, { cause: error });
  }
  return signerOf(parsePrivateKey(text, path), path);
}

/** PKCS#8 of an Ed25519 key, up to the seed (RFC 8410). */
const pkcs8BeforeSeed = Buffer.from('302e020100300506032b657004220420', 'hex');

function privateKeyOfSeed(hex: string): KeyObject {
  if (!/^[0-9a-f]{64}$/i.test(hex)) {
    throw new ControlPlaneError('SIGNING_KEY_INVALID', 'the seed of the signing key is not 64 hexadecimal digits');
  }
  const der = Buffer.concat([pkcs8BeforeSeed, Buffer.from(hex, 'hex')]);
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}

async function signerOf(privateKey: KeyObject, path: string): Promise<TokenSigner> {
  const jwk = createPublicKey(privateKey).export({ format: 'jwk' });
  if (privateKey.asymmetricKeyType !== 'ed25519' || typeof jwk.x !== 'string') {
    throw new ControlPlaneError('SIGNING_KEY_INVALID', `the key in ${path} is not an Ed25519 key`);
  }
  const publicKey = jwk.x;
  const kid = await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x: publicKey });
  return {
    kid,
    publicKey,
    sign: async (claims) => new SignJWT(claims).setProtectedHeader({ alg: 'EdDSA', typ: 'JWT', kid }).sign(privateKey),
    signBytes: async (bytes, type) =>
      new CompactSign(bytes).setProtectedHeader({ alg: 'EdDSA', typ: type, kid }).sign(privateKey),
  };
}

function parsePrivateKey(text: string, path: string): KeyObject {
  try {
    const trimmed = text.trim();
    const key = trimmed.startsWith('{')
      ? createPrivateKey({ format: 'jwk', key: JSON.parse(trimmed) as JsonWebKeyInput['key'] })
      : createPrivateKey(trimmed);
    // A JWK's public and private halves may disagree; signing would then make tokens that nobody accepts.
    sign(null, Buffer.from('probe'), key);
    return key;
  } catch {
    // The cause may quote the key; it is left out on purpose.
    throw new ControlPlaneError('SIGNING_KEY_INVALID', `the file ${path} holds no private key`);
  }
}
