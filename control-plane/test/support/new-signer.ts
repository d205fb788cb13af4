import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadTokenSigner, newSigningKeyFileContent, type TokenSigner } from '../../src/auth/token-signer.js';

/** A signer with a fresh key, whose file is gone already. */
export async function newSigner(): Promise<TokenSigner> {
  const directory = await mkdtemp(join(tmpdir(), 'new-signer-'));
  try {
    await writeFile(join(directory, 'key'), newSigningKeyFileContent());
    return await loadTokenSigner(join(directory, 'key'));
  } finally {
    await rm(directory, { recursive: true });
  }
}
