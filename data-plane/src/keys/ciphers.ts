/**
 * The ciphers that official clients declare for a database whose key they hold, as Turso Cloud knows them. A cipher decides
 * how long the client's key is and how many bytes are kept free at the end of every page; what is stored is sealed by our
 * own sealing whatever was declared (docs/decisions/0015).
 */
export const ciphers = {
  aes128gcm: { keyBytes: 16, reservedBytes: 28 },
  aes256gcm: { keyBytes: 32, reservedBytes: 28 },
  aegis256: { keyBytes: 32, reservedBytes: 48 },
  aegis256x2: { keyBytes: 32, reservedBytes: 48 },
  aegis256x4: { keyBytes: 32, reservedBytes: 48 },
  aegis128l: { keyBytes: 16, reservedBytes: 32 },
  aegis128x2: { keyBytes: 16, reservedBytes: 32 },
  aegis128x4: { keyBytes: 16, reservedBytes: 32 },
  chacha20poly1305: { keyBytes: 32, reservedBytes: 28 },
} as const satisfies Record<string, { readonly keyBytes: 16 | 32; readonly reservedBytes: number }>;

export type CipherName = keyof typeof ciphers;

export const cipherNames = Object.keys(ciphers) as readonly CipherName[];

export function isCipherName(text: unknown): text is CipherName {
  return typeof text === 'string' && Object.hasOwn(ciphers, text);
}
