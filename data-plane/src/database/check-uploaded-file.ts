/** Has an engine look through an uploaded file, in a process of its own. */
import type { BorrowedEngine, EnginePlace } from '../engine/pool/engines.js';
import { ByocError, isByocError } from '../errors/catalogue.js';
import type { FileCheck } from '../hrana/file/check-file.js';
import type { EngineName } from '../identity.js';
import type { RestoredFile } from '../storage/restored-file.js';
import { askEngine } from './ask-engine.js';
import type { NodeContext } from './node-context.js';

/**
 * Throws `UPLOAD_INVALID` when the file that `fill` writes cannot be a database of the engine: damaged, with a schema that is
 * refused, or such that the engine died of it. `fill` closes the file.
 */
export async function checkUploadedFile(
  context: NodeContext,
  id: string,
  engine: EngineName,
  fill: (file: RestoredFile) => Promise<void>,
): Promise<void> {
  // Only libSQL proves a file sound.
  const engines: readonly EngineName[] = engine === 'libsql' ? ['libsql'] : ['libsql', engine];
  for (const checking of engines) {
    const borrowed = await context.engines.borrow(checking);
    try {
      const { defects } = await checked(context, borrowed, id, checking, fill);
      if (defects.length > 0) throw new ByocError('UPLOAD_INVALID', `${checking} says: ${defects.join('; ')}`);
    } finally {
      await borrowed.giveBack();
    }
  }
}

async function checked(
  context: NodeContext,
  { place }: BorrowedEngine,
  id: string,
  engine: EngineName,
  fill: (file: RestoredFile) => Promise<void>,
): Promise<FileCheck> {
  const name = `check.${context.runtime.randomBytes(4).toString('hex')}`;
  const directory = await place.directory.createDatabaseDirectory(name);
  const path = `${directory.path}/db`;
  await fill(await place.directory.createDatabaseFile(path));
  await place.directory.handOver(directory.path);
  const nothing = (): void => undefined;
  try {
    const opened = await place.open(
      id as Parameters<EnginePlace['open']>[0],
      { engine, path, commit: 0, limits: context.limits },
      { onCommit: nothing, onStreams: nothing, onLost: nothing, onRetiring: nothing },
    );
    const answer = await askEngine(place, opened, 'file-check', Buffer.alloc(0));
    return JSON.parse(answer.toString('utf8')) as FileCheck;
  } catch (error) {
    // Nobody else is in that process: what it died of is this file.
    if (isByocError(error, 'ENGINE_RESTARTED'))
      return { defects: [`the engine ended over the file: ${error.message}`] };
    if (isByocError(error, 'ENGINE_UNAVAILABLE')) throw error;
    if (isByocError(error)) return { defects: [error.message] };
    throw error;
  }
}
