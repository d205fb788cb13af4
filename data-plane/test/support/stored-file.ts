/** Files of a local object store, to be damaged while no node runs. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeHeader, headerBytes } from '../../src/object-store/object-file.js';
import { LocalObjectStore } from '../../src/object-store/local-object-store.js';
import { objectPath } from '../../src/object-store/object-path.js';
import { highestVersion, type Slot } from '../../src/object-store/object-version.js';

/** The current version of an object, and every file that the object consists of, as they are now. */
export class StoredFile {
  /** The file of the current version. */
  readonly path: string;
  readonly original: Buffer;
  /** Where the object's own bytes begin, behind the header of the file. */
  readonly bodyStart: number;
  readonly #files = new Map<string, Buffer>();

  constructor(
    storeDirectory: string,
    readonly key: string,
  ) {
    const place = objectPath(key);
    const anchor = join(storeDirectory, 'objects', place.object);
    const slots = slotsIn(join(storeDirectory, 'objects', place.versions));
    for (const path of [anchor, ...slots.map(({ name }) => name)]) this.#files.set(path, readFileSync(path));
    const { id } = decodeHeader(readFileSync(anchor));
    const highest = highestVersion(slots, id);
    this.path = highest === undefined ? anchor : join(storeDirectory, 'objects', place.versions, `${id}.${highest}`);
    this.original = readFileSync(this.path);
    this.bodyStart = headerBytes(decodeHeader(this.original));
  }

  get body(): Buffer {
    return this.original.subarray(this.bodyStart);
  }

  write(bytes: Uint8Array): void {
    writeFileSync(this.path, bytes);
  }

  /** Another body in the same file, of any length. */
  writeBody(body: Uint8Array): void {
    const header = Buffer.from(this.original.subarray(0, this.bodyStart));
    header.writeBigUInt64LE(BigInt(body.length), 8);
    this.write(Buffer.concat([header, body]));
  }

  /** Flips a bit of the byte at `offset` of the file. */
  flipBit(offset: number): void {
    const bytes = Buffer.from(this.original);
    bytes.writeUInt8(bytes.readUInt8(offset) ^ 0x10, offset);
    this.write(bytes);
  }

  /** Removes the object with all its versions. */
  remove(): void {
    for (const path of this.#files.keys()) rmSync(path);
  }

  putBack(): void {
    for (const [path, bytes] of this.#files) writeFileSync(path, bytes);
  }
}

/** Keys in a store that start with `prefix`, which is empty or ends in a slash. */
export async function storedKeys(storeDirectory: string, prefix = ''): Promise<string[]> {
  const store = await LocalObjectStore.open(storeDirectory);
  try {
    const keys: string[] = [];
    let after: string | undefined;
    do {
      const page = await store.list(prefix, after === undefined ? {} : { after });
      keys.push(...page.keys);
      after = page.next;
    } while (after !== undefined);
    return keys;
  } finally {
    await store.close();
  }
}

function slotsIn(directory: string): Slot[] {
  try {
    return readdirSync(directory).map((name) => {
      const [anchor = '', version] = name.split('.');
      return { name: join(directory, name), anchor, version: Number(version) };
    });
  } catch {
    return []; // Objects that were never replaced have no such directory.
  }
}
