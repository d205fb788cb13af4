import type { Tracing } from '@turso-byoc/data-plane/tracing/tracing.js';
import type { TokenSigner } from './token-signer.js';

/** A signer whose signatures show in traces; how long KMS took is seen there. */
export function tracedSigner(signer: TokenSigner, tracing: Tracing): TokenSigner {
  return {
    kid: signer.kid,
    publicKey: signer.publicKey,
    sign: async (claims) => tracing.part('key sign', {}, async () => signer.sign(claims)),
    signBytes: async (bytes, type) => tracing.part('key sign', {}, async () => signer.signBytes(bytes, type)),
  };
}
