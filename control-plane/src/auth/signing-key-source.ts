import type { KmsOptions } from '@turso-byoc/data-plane/keys/kms/kms-options.js';

/** Where the key is that signs tokens. */
export type SigningKeySource =
  /** A private JWK or PKCS#8 in a file. */
  | { readonly kind: 'file'; readonly path: string }
  /** The 32 bytes that an Ed25519 key is derived from, in 64 hexadecimal digits: a form that Secrets Manager can generate. */
  | { readonly kind: 'seed'; readonly hex: string }
  /** An Ed25519 key in KMS, which signs there and never leaves it. */
  | { readonly kind: 'kms'; readonly options: KmsOptions };
