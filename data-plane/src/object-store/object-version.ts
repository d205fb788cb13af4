import { ByocError } from '../errors/catalogue.js';
import { unlessSystemError, type FileLayer, type OpenFile } from './file-layer.js';
import { decodeHeader, headerBytes, maxHeaderBytes, type ObjectHeader } from './object-file.js';

/** A version after the first, as its name says: `<id of the first version>.<version number>`. */
export interface Slot {
  readonly name: string;
  /** Id of the first version. An id is never reused, so slots of a deleted object cannot be taken for a new one's. */
  readonly anchor: string;
  readonly version: number;
}

const slotPattern = /^([0-9a-f]{32})\.([1-9]\d{0,15})$/;

export const slotName = (anchor: string, version: number): string => `${anchor}.${version}`;

/** The slots in an object's directory of later versions; none when there is no such directory. */
export async function listSlots(files: FileLayer, versions: string): Promise<Slot[]> {
  const slots: Slot[] = [];
  for (const name of (await unlessSystemError(files.names(versions), 'ENOENT')) ?? []) {
    const match = slotPattern.exec(name);
    if (match?.[1] !== undefined) slots.push({ name, anchor: match[1], version: Number(match[2]) });
  }
  return slots;
}

/** The highest version among the slots of the object that `anchor` began, or undefined when it has none. */
export function highestVersion(slots: readonly Slot[], anchor: string): number | undefined {
  let highest: number | undefined;
  for (const slot of slots) {
    if (slot.anchor === anchor && slot.version > (highest ?? 0)) highest = slot.version;
  }
  return highest;
}

/** One version of an object, open for reading. */
export class OpenVersion {
  readonly header: ObjectHeader;
  /** Names of the file: more than one means that nobody has confirmed yet that it is durable. */
  readonly links: number;
  /** False when the body was taken away because later versions are durable. */
  readonly hasBody: boolean;
  readonly #file: OpenFile;
  /** The first bytes of the file. */
  readonly #start: Buffer;

  private constructor(file: OpenFile, start: Buffer, links: number, sizeBytes: number, header: ObjectHeader) {
    this.header = header;
    this.links = links;
    this.hasBody = sizeBytes >= headerBytes(header) + header.bodyBytes;
    this.#file = file;
    this.#start = start;
  }

  /**
   * Opens the version at `path`; undefined when there is no such file. Reads `readAheadBytes` of it at once. Throws
   * `STORE_OBJECT_CORRUPT` when the file is not a version of `key`.
   */
  static async open(
    files: FileLayer,
    path: string,
    key: string,
    readAheadBytes = maxHeaderBytes,
  ): Promise<OpenVersion | undefined> {
    const file = await unlessSystemError(files.openForReading(path), 'ENOENT');
    if (file === undefined) return undefined;
    try {
      const { links, sizeBytes } = await file.status();
      const start = Buffer.allocUnsafe(Math.min(sizeBytes, Math.max(readAheadBytes, maxHeaderBytes)));
      const filled = start.subarray(0, await file.read(start, 0));
      const header = decodeHeader(filled);
      if (header.key !== key || sizeBytes > headerBytes(header) + header.bodyBytes) {
        throw new ByocError('STORE_OBJECT_CORRUPT', `the file of object ${key} is not this object`);
      }
      return new OpenVersion(file, filled, links, sizeBytes, header);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Bytes `[start, start + length)` of the body, fewer when it ends earlier; undefined when it was taken away meanwhile. */
  async read(start: number, length: number): Promise<Buffer | undefined> {
    if (!this.hasBody) return undefined;
    const from = headerBytes(this.header) + start;
    const available = Math.max(0, Math.min(length, this.header.bodyBytes - start));
    if (from + available <= this.#start.length) return this.#start.subarray(from, from + available);
    const body = Buffer.allocUnsafeSlow(available);
    return (await this.#file.read(body, from)) === available ? body : undefined;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** The header of the version at `path` and whether its body is there; undefined when there is no such file. */
export async function readVersion(
  files: FileLayer,
  path: string,
  key: string,
): Promise<{ header: ObjectHeader; hasBody: boolean } | undefined> {
  const version = await OpenVersion.open(files, path, key);
  await version?.close();
  return version;
}
