import { unlessSystemError, type FileLayer } from './file-layer.js';
import { parseEntry, prefixDirectory, type DirectoryEntry } from './object-path.js';

/** Keys that start with `prefix` and come after `after`, both compared byte by byte. */
export interface KeyRange {
  readonly prefix: string;
  readonly after: string;
  /** How many keys the caller wants; no more than twice as many names of a directory are held in memory. */
  readonly limit: number;
}

interface Child extends DirectoryEntry {
  readonly name: string;
  /** The key of an object, or what all keys below a directory start with. */
  readonly key: string;
}

/**
 * Yields the keys of a range in ascending byte order. `onRead` is called after the names of a directory were read and
 * before any of them is yielded.
 */
export async function* listKeys(
  files: FileLayer,
  objects: string,
  range: KeyRange,
  onRead: (directory: string) => Promise<void>,
): AsyncGenerator<string, void> {
  const start = range.prefix.slice(0, range.prefix.lastIndexOf('/') + 1);
  const directory = prefixDirectory(start);
  yield* walk(directory === '' ? objects : `${objects}/${directory}`, start);

  async function* walk(path: string, parent: string): AsyncGenerator<string, void> {
    let last = '';
    for (;;) {
      const { children, more } = await smallestChildren(files, path, parent, last, range);
      if (children.length > 0) await onRead(path);
      for (const child of children) {
        if (child.kind === 'object') yield child.key;
        else yield* walk(`${path}/${child.name}`, child.key);
        last = child.key;
      }
      if (!more) return;
    }
  }
}

/** The first `limit` children in key order that come after `last` and may hold keys of the range. */
async function smallestChildren(
  files: FileLayer,
  path: string,
  parent: string,
  last: string,
  range: KeyRange,
): Promise<{ children: Child[]; more: boolean }> {
  let children: Child[] = [];
  let more = false;
  const keepSmallest = (): void => {
    children.sort((a, b) => (a.key < b.key ? -1 : 1));
    more ||= children.length > range.limit;
    children = children.slice(0, range.limit);
  };
  const read = async (): Promise<void> => {
    for await (const name of files.streamNames(path)) {
      const entry = parseEntry(name);
      if (entry === undefined || entry.kind === 'versions') continue;
      const child = { ...entry, name, key: parent + entry.text };
      if (child.key <= last || !mayHold(child, range)) continue;
      children.push(child);
      if (children.length >= 2 * range.limit) keepSmallest();
    }
  };
  await unlessSystemError(read(), 'ENOENT');
  keepSmallest();
  return { children, more };
}

function mayHold(child: Child, { prefix, after }: KeyRange): boolean {
  if (child.kind === 'object') return child.key.startsWith(prefix) && child.key > after;
  const inPrefix = child.key.startsWith(prefix) || prefix.startsWith(child.key);
  return inPrefix && (child.key > after || after.startsWith(child.key));
}
