/**
 * A database that begins as an uploaded file. It is created awaiting the file; an upload is begun, which the manifest notes;
 * its chunks are sealed and stored as they come; at the end the file is put together, looked through by an engine in a process
 * of its own, and becomes the first generation.
 *
 * Invariant: the manifest names the generation and ceases to await the file in one replace-if-unchanged under the owner's
 * term. Before it the database has no content and is served to nobody; after it, exactly what was uploaded. Whatever an
 * upload leaves that did not come to its end is garbage of the database.
 */
import type { Restrictions } from '../engine/ipc/messages.js';
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { PresentedKey } from '../keys/client-key.js';
import type { Sealer } from '../keys/sealing.js';
import { claim } from '../ownership/claim.js';
import { pageBytes } from '../storage/fragment.js';
import type { SegmentReference } from '../storage/generation.js';
import type { AwaitedFile, Manifest } from '../storage/manifest.js';
import type { VersionedManifest } from '../storage/manifest-store.js';
import type { RestoredFile } from '../storage/restored-file.js';
import {
  chunkCount,
  chunkLength,
  readChunk,
  storeChunk,
  storeUploadedGeneration,
  uploadChunkBytes,
  type UploadedImage,
} from '../storage/uploaded-image.js';
import { newAttempt } from './carry-fragments.js';
import { checkUploadedFile } from './check-uploaded-file.js';
import { fileHeaderBytes, reservedBytesOf } from './uploaded-file.js';
import type { NodeContext } from './node-context.js';
import { liveManifest, own, stillOwned, type OwnedDatabase } from './ready-database.js';

type Upload = NonNullable<AwaitedFile['upload']>;

/** The largest file that is taken: 20 GB, as official clients know it. */
export const maxUploadBytes = 20 * 2 ** 30;

/** Begins an upload; one that was begun before is given up. Throws `UPLOAD_NOT_AWAITED`, `UPLOAD_INVALID`, `UPLOAD_TOO_LARGE`. */
export async function startUpload(
  context: NodeContext,
  id: DatabaseId,
  sizeBytes: number,
  restrictions: Restrictions | undefined,
): Promise<{ readonly upload: string; readonly chunkBytes: number }> {
  if (sizeBytes === 0 || sizeBytes % pageBytes !== 0) {
    throw new ByocError(
      'UPLOAD_INVALID',
      `a SQLite file with pages of 4096 bytes has a multiple of that, not ${sizeBytes}`,
    );
  }
  const maxPages = Math.min(context.limits.maxPages, restrictions?.maxPages ?? Infinity);
  const most = Math.min(maxUploadBytes, maxPages * pageBytes);
  if (sizeBytes > most) throw new ByocError('UPLOAD_TOO_LARGE', `the file has ${sizeBytes} bytes; ${most} are taken`);
  const found = await liveManifest(context, id);
  assertAwaited(found.manifest);
  // Nothing is sealed yet: clients that hold the key of the database send it with the chunks.
  const owned = await claim(context.manifests, context.findRecovery, context.epoch, found);
  const { upload: before } = assertAwaited(owned.manifest);
  const upload: Upload = {
    attempt: newAttempt(context),
    term: owned.manifest.term,
    number: context.generationNumbers.next(before?.number ?? 0),
    sizeBytes,
    startedAtMs: context.runtime.nowMs(),
  };
  const result = await context.manifests.replace(owned, { ...owned.manifest, awaitedFile: { upload } });
  if ('lost' in result) throw new ByocError('DATABASE_MOVED', `database ${id} was changed by somebody else`);
  return { upload: upload.attempt, chunkBytes: uploadChunkBytes };
}

/** Stores a chunk of an upload. Throws `UPLOAD_NOT_FOUND`, `UPLOAD_CHUNK_INVALID`, `UPLOAD_CONFLICT`, `UPLOAD_INVALID`. */
export async function storeUploadedChunk(
  context: NodeContext,
  id: DatabaseId,
  { upload: name, chunk }: { readonly upload: string; readonly chunk: number },
  content: Buffer,
  presented: PresentedKey | undefined,
): Promise<void> {
  const check = ({ manifest }: VersionedManifest): Upload => {
    const upload = assertUpload(manifest, name);
    if (chunk >= chunkCount(upload.sizeBytes)) {
      throw new ByocError(
        'UPLOAD_CHUNK_INVALID',
        `the file has ${chunkCount(upload.sizeBytes)} chunks, none with number ${chunk}`,
      );
    }
    const length = chunkLength(upload.sizeBytes, chunk);
    if (content.length !== length) {
      throw new ByocError('UPLOAD_CHUNK_INVALID', `chunk ${chunk} has ${length} bytes, not ${content.length}`);
    }
    if (chunk === 0) reservedBytesOf(content.subarray(0, fileHeaderBytes), upload.sizeBytes, manifest.encryption);
    return upload;
  };
  // Before anything is claimed or unlocked for it.
  check(await liveManifest(context, id));
  await whileOwned(context, id, presented, async ({ owned, unlocked }) => {
    await storeChunk(imageOf(context, unlocked.sealer, check(owned)), chunk, content);
  });
}

/**
 * Makes the uploaded file the content of the database; asked for again, it answers the same. Throws `UPLOAD_NOT_FOUND`,
 * `UPLOAD_INCOMPLETE`, `UPLOAD_INVALID`, `LOCAL_DISK_FULL`.
 */
export async function finalizeUpload(
  context: NodeContext,
  id: DatabaseId,
  name: string,
  presented: PresentedKey | undefined,
): Promise<void> {
  const { manifest: found } = await liveManifest(context, id);
  if (!found.awaitedFile && found.uploadedAs === name) return;
  assertUpload(found, name);
  await whileOwned(context, id, presented, async ({ owned, unlocked }) => {
    const upload = assertUpload(owned.manifest, name);
    const image = imageOf(context, unlocked.sealer, upload);
    const segments: SegmentReference[] = [];
    let reservedBytes = 0;
    const fill = async (file: RestoredFile): Promise<void> => {
      segments.length = 0;
      try {
        for (let chunk = 0; chunk < chunkCount(upload.sizeBytes); chunk++) {
          const stored = await readChunk(image, chunk);
          if (!stored) throw new ByocError('UPLOAD_INCOMPLETE', `chunk ${chunk} was not uploaded`);
          const contents = stored.segments.map(({ content }) => content);
          const [head] = contents;
          if (chunk === 0 && head) reservedBytes = reservedBytesOf(head, upload.sizeBytes, owned.manifest.encryption);
          await file.write(contents, chunk * uploadChunkBytes);
          for (const { reference } of stored.segments) segments.push(reference);
        }
      } finally {
        await file.close();
      }
    };
    await checkUploadedFile(context, id, owned.manifest.engine, fill);
    const { reference } = await storeUploadedGeneration(image, segments, upload.startedAtMs);
    await swing(context, owned, name, { generation: reference, reservedBytes });
    context.usage.sized(id, { commit: 0, pages: upload.sizeBytes / pageBytes });
  });
}

/** Lets the manifest name the generation, whatever else changed in it meanwhile under the same term. */
async function swing(
  context: NodeContext,
  base: VersionedManifest,
  name: string,
  content: Pick<Manifest, 'reservedBytes'> & Required<Pick<Manifest, 'generation'>>,
): Promise<void> {
  for (let current = base; ;) {
    assertUpload(current.manifest, name);
    const { awaitedFile: _uploaded, ...manifest } = current.manifest;
    const result = await context.manifests.replace(current, { ...manifest, ...content, uploadedAs: name });
    if (!('lost' in result)) return;
    current = await stillOwned(context, base.manifest, result.lost);
    // The answer of an attempt before was lost, its manifest was not.
    if (!current.manifest.awaitedFile && current.manifest.uploadedAs === name) return;
  }
}

function imageOf({ runtime, dataStore }: NodeContext, sealer: Sealer, upload: Upload): UploadedImage {
  const { term, number, sizeBytes } = upload;
  return { runtime, store: dataStore, sealer, term, number, sizeBytes };
}

async function whileOwned<T>(
  context: NodeContext,
  id: DatabaseId,
  presented: PresentedKey | undefined,
  work: (owned: OwnedDatabase) => Promise<T>,
): Promise<T> {
  const owned = await own(context, id, { presented });
  try {
    return await work(owned);
  } finally {
    owned.unlocked.wipe();
  }
}

function assertAwaited({ awaitedFile, name }: Manifest): AwaitedFile {
  if (awaitedFile) return awaitedFile;
  throw new ByocError('UPLOAD_NOT_AWAITED', `database ${name} does not await a file`);
}

function assertUpload(manifest: Manifest, name: string): Upload {
  const { upload } = assertAwaited(manifest);
  if (upload?.attempt === name) return upload;
  throw new ByocError('UPLOAD_NOT_FOUND', `there is no upload ${name} to database ${manifest.name}`);
}
