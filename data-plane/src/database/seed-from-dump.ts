/**
 * Lets a database that awaits a file begin as a dump. A libSQL engine in a process of its own makes a file of it, which is then uploaded as
 * a client would upload it, with the same checks: until the last of them nothing of the dump is the database's.
 */
import type { Restrictions } from '../engine/ipc/messages.js';
import type { EnginePlace } from '../engine/pool/engines.js';
import { ByocError, isByocError } from '../errors/catalogue.js';
import { dumpSteps } from '../hrana/dump/load-dump.js';
import type { DatabaseId } from '../identity.js';
import { ciphers } from '../keys/ciphers.js';
import { emptyDatabaseImage } from '../storage/empty-database.js';
import { pageBytes } from '../storage/fragment.js';
import { StagedDump } from '../storage/staged-dump.js';
import { chunkCount } from '../storage/uploaded-image.js';
import { askEngine } from './ask-engine.js';
import type { NodeContext } from './node-context.js';
import { liveManifest } from './ready-database.js';
import { finalizeUpload, startUpload, storeUploadedChunk } from './upload-database.js';

export interface DumpSeed {
  readonly dump: string;
  readonly chunks: number;
  /** What it is sealed under, in base64. */
  readonly key: string;
  /** The key of the client that holds the key of the database, in base64. */
  readonly clientKey?: string;
  /** How large the database may become. */
  readonly maxBytes?: number;
}

/** Loading longer than this is given up. */
const loadTimeoutMs = 600_000;

/**
 * `alone` runs what needs the database to itself. Throws `DUMP_NOT_FOUND`, `UPLOAD_NOT_AWAITED`, `UPLOAD_INVALID` (with the number of the
 * statement), `UPLOAD_TOO_LARGE`, `LOCAL_DISK_FULL`, the key errors, and the errors of the store.
 */
export async function seedFromDump(
  context: NodeContext,
  id: DatabaseId,
  seed: DumpSeed,
  alone: <T>(work: () => Promise<T>) => Promise<T>,
): Promise<void> {
  const { manifest } = await liveManifest(context, id);
  if (!manifest.awaitedFile)
    throw new ByocError('UPLOAD_NOT_AWAITED', `database ${manifest.name} does not await a file`);
  const { encryption } = manifest;
  const reservedBytes = encryption.mode === 'client' ? ciphers[encryption.cipher].reservedBytes : 0;
  const clientKey = seed.clientKey === undefined ? undefined : { key: seed.clientKey };
  const restrictions =
    seed.maxBytes === undefined ? {} : { maxPages: Math.max(1, Math.floor(seed.maxBytes / pageBytes)) };
  const key = Buffer.from(seed.key, 'base64');
  const dump = new StagedDump(context, seed.dump, key);
  try {
    const upload = await withLoaded(
      context,
      id,
      { dump, chunks: seed.chunks, reservedBytes, restrictions },
      async (file) => {
        const begun = await alone(async () => startUpload(context, id, file.sizeBytes, restrictions));
        for (let chunk = 0; chunk < chunkCount(file.sizeBytes); chunk++) {
          await storeUploadedChunk(context, id, { upload: begun.upload, chunk }, await file.read(chunk), clientKey);
        }
        return begun.upload;
      },
    );
    await alone(async () => finalizeUpload(context, id, upload, clientKey));
    await dump.remove(seed.chunks);
  } finally {
    dump.wipe();
    key.fill(0);
  }
}

interface LoadedFile {
  readonly sizeBytes: number;
  read(chunk: number): Promise<Buffer>;
}

/** Runs `use` on the file that an engine makes of the dump. */
async function withLoaded<T>(
  context: NodeContext,
  id: DatabaseId,
  asked: {
    readonly dump: StagedDump;
    readonly chunks: number;
    readonly reservedBytes: number;
    readonly restrictions: Restrictions;
  },
  use: (file: LoadedFile) => Promise<T>,
): Promise<T> {
  const { place, giveBack } = await context.engines.borrow('libsql');
  let isLate = false as boolean;
  const cancel = context.runtime.schedule(loadTimeoutMs, () => {
    isLate = true;
    giveBack().catch((error: unknown) => context.report('an engine process was not ended', { error: String(error) }));
  });
  try {
    const opened = await openEmpty(context, place, id, asked);
    const ask = async (step: number, body: Uint8Array = Buffer.alloc(0)): Promise<Buffer> =>
      askEngine(place, opened, 'dump-load', Buffer.concat([Buffer.of(step), body]));
    for (let chunk = 0; chunk < asked.chunks; chunk++) await ask(dumpSteps.text, await asked.dump.read(chunk));
    const { sizeBytes } = JSON.parse((await ask(dumpSteps.end)).toString('utf8')) as { sizeBytes: unknown };
    if (typeof sizeBytes !== 'number') throw new ByocError('UPLOAD_INVALID', 'the engine made no file of the dump');
    const read = async (chunk: number): Promise<Buffer> => {
      const number = Buffer.alloc(4);
      number.writeUInt32LE(chunk);
      return ask(dumpSteps.read, number);
    };
    return await use({ sizeBytes, read });
  } catch (error) {
    if (isLate) throw new ByocError('UPLOAD_INVALID', `loading the dump took longer than ${loadTimeoutMs} ms`);
    // Nobody else is in that process: what it died of is this dump.
    if (isByocError(error, 'ENGINE_RESTARTED')) {
      throw new ByocError('UPLOAD_INVALID', `the engine ended over the dump: ${error.message}`, { cause: error });
    }
    throw error;
  } finally {
    cancel();
    await giveBack();
  }
}

async function openEmpty(
  context: NodeContext,
  place: EnginePlace,
  id: DatabaseId,
  { reservedBytes, restrictions }: { readonly reservedBytes: number; readonly restrictions: Restrictions },
): ReturnType<EnginePlace['open']> {
  const directory = await place.directory.createDatabaseDirectory(
    `load.${context.runtime.randomBytes(4).toString('hex')}`,
  );
  const path = `${directory.path}/db`;
  const file = await place.directory.createDatabaseFile(path);
  await file.write([emptyDatabaseImage(reservedBytes)], 0);
  await file.close();
  await place.directory.handOver(directory.path);
  const nothing = (): void => undefined;
  const maxPages = Math.min(context.limits.maxPages, restrictions.maxPages ?? Infinity);
  return place.open(
    id,
    { engine: 'libsql', path, commit: 0, limits: { ...context.limits, maxPages } },
    { onCommit: nothing, onStreams: nothing, onLost: nothing, onRetiring: nothing },
  );
}
