/**
 * Preloaded into a node process (`--import`) before the product, it replaces AES-256-GCM by a cipher that leaves bytes as
 * they are and accepts any tag: what a node costs without encryption. It exists only here, in the benchmarks, which no
 * package and no image contains, and the product has no setting that loads it.
 */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

const tagBytes = 16;

class NullCipher {
  setAAD(): this {
    return this;
  }

  setAuthTag(): this {
    return this;
  }

  update(bytes: Buffer): Buffer {
    return bytes;
  }

  final(): Buffer {
    return Buffer.alloc(0);
  }

  getAuthTag(): Buffer {
    return Buffer.alloc(tagBytes);
  }
}

const only = (algorithm: unknown): NullCipher => {
  if (algorithm !== 'aes-256-gcm') throw new Error(`no null cipher stands in for ${String(algorithm)}`);
  return new NullCipher();
};

Object.assign(crypto, { createCipheriv: only, createDecipheriv: only });
syncBuiltinESMExports();
