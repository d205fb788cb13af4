/**
 * One launcher per data directory. The lock is the operating system's lock on an open file, taken through SQLite because
 * Node.js offers none itself. The system gives it back when the process ends, however it ends: a lock never goes stale,
 * so there is nothing to take over and no race about it.
 */
import Database from 'libsql';
import { ControlPlaneError } from '../errors/catalogue.js';
import { errorCode } from '../errors/error-code.js';
import { readFileIfPresent, writePrivateFile } from './private-file.js';

export interface DirectoryLock {
  release(): void;
}

/** Takes the lock on this path. Throws `DATA_DIRECTORY_IN_USE` while another process, or this one, holds it. */
export async function lockDirectory(lockPath: string, directory: string): Promise<DirectoryLock> {
  const holderPath = `${lockPath}.holder`;
  const file = new Database(lockPath, { timeout: 0 });
  try {
    file.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    file.close();
    if (errorCode(error) !== 'SQLITE_BUSY') throw error;
    const pid = (await readFileIfPresent(holderPath))?.trim();
    throw new ControlPlaneError(
      'DATA_DIRECTORY_IN_USE',
      `the data directory ${directory} is in use by another process${pid === undefined ? '' : ` (pid ${pid})`}`,
    );
  }
  // Only for the message above; the lock does not depend on it.
  await writePrivateFile(holderPath, `${process.pid}\n`);
  return { release: () => void file.close() };
}
