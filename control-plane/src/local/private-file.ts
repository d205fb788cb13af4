import { open, readFile, rename, rm } from 'node:fs/promises';
import { errorCode } from '../errors/error-code.js';

/**
 * Replaces a file by one with this content that only its owner may read; whoever reads it meanwhile sees the old or the
 * new content, whole. One process at a time may do so for one path.
 */
export async function writePrivateFile(path: string, content: string): Promise<void> {
  const temporary = `${path}.new`;
  // A file that a crash left there may have other permissions.
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

/** The content of a file, or undefined when there is none. */
export async function readFileIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Creates a private file with this content unless there is one. */
export async function ensurePrivateFile(path: string, newContent: () => string): Promise<void> {
  if ((await readFileIfPresent(path)) === undefined) await writePrivateFile(path, newContent());
}
