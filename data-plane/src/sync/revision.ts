/**
 * A revision: the name under which a client knows a position of a database's history. It is an opaque text to the
 * client, and what comes back is the word of nobody: an authentication code under a data key of the database shows that
 * this deployment gave it out, for this very database. So nobody can ask for positions that were never shown to a client.
 *
 * The position is a commit, which no fold, restart or change of owner renames. Its time is there, too: a deployment that
 * was restored from a backup has the same keys and may have made another commit of the same number.
 *
 * base64url of: u8 version, u32 number of the data key, u48 commit, u48 time of the commit (ms), 16 bytes of HMAC-SHA-256.
 */
import { timingSafeEqual } from 'node:crypto';
import { ByocError } from '../errors/catalogue.js';
import type { Sealer } from '../keys/sealing.js';
import type { CommitPoint } from '../storage/changed-pages.js';

const version = 1;
const contentBytes = 1 + 4 + 6 + 6;
const codeBytes = 16;
const pattern = /^[A-Za-z0-9_-]+$/;

/** No revision is longer. */
export const maxRevisionLength = 256;

export function encodeRevision(sealer: Sealer, { commit, commitTimeMs }: CommitPoint): string {
  const content = Buffer.alloc(contentBytes);
  content.writeUInt8(version, 0);
  content.writeUInt32LE(sealer.currentKey, 1);
  content.writeUIntLE(commit, 5, 6);
  content.writeUIntLE(commitTimeMs, 11, 6);
  return Buffer.concat([content, sealer.authenticate(sealer.currentKey, 'revision', content, codeBytes)]).toString(
    'base64url',
  );
}

/**
 * The position that a revision names. Throws `REVISION_INVALID` for a text that is none, or one of another database, and
 * `REVISION_EXPIRED` for one that was given out under a data key that is gone, and its history with it.
 */
export function decodeRevision(sealer: Sealer, revision: string): CommitPoint {
  const bytes = pattern.test(revision) ? Buffer.from(revision, 'base64url') : Buffer.alloc(0);
  if (bytes.length !== contentBytes + codeBytes || bytes.readUInt8(0) !== version) throw invalid();
  const content = bytes.subarray(0, contentBytes);
  const key = content.readUInt32LE(1);
  if (!sealer.hasKey(key)) {
    if (key === 0 || key > sealer.currentKey) throw invalid();
    throw new ByocError('REVISION_EXPIRED', 'the history that this revision belongs to is not kept any more');
  }
  const code = sealer.authenticate(key, 'revision', content, codeBytes);
  if (!timingSafeEqual(code, bytes.subarray(contentBytes))) throw invalid();
  return { commit: content.readUIntLE(5, 6), commitTimeMs: content.readUIntLE(11, 6) };
}

function invalid(): ByocError {
  return new ByocError('REVISION_INVALID', 'this is not a revision of this database');
}
