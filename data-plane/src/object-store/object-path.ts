/**
 * Where an object lives below the `objects` directory of a local store. The mapping is injective also on file systems
 * that ignore case, and a listing can turn names back into keys.
 *
 * A lower-case letter, digit, `.`, `_`, `=` or `-` stands for itself; an upper-case letter becomes `+` and its lower
 * case. Every name ends in `,` and a letter that says what it is: `d` a segment of longer keys, `o` an object, `v` the
 * directory of that object's later versions, `c` the first 100 characters of a long segment that goes on below, which
 * keeps names under the 255 bytes file systems allow. Neither `+` nor `,` can appear in a key.
 */
const chunkLength = 100;

type EntryKind = 'directory' | 'object' | 'versions' | 'chunk';

const suffixes: Record<EntryKind, string> = { directory: ',d', object: ',o', versions: ',v', chunk: ',c' };
const kinds = new Map<string, EntryKind>([
  [',d', 'directory'],
  [',o', 'object'],
  [',v', 'versions'],
  [',c', 'chunk'],
]);
const entryPattern = /^(?:[a-z0-9._=-]|\+[a-z])*,[dovc]$/;

export interface ObjectPath {
  /** The directory that holds the object, relative to `objects`; empty for `objects` itself. */
  readonly directory: string;
  /** The object's first version. */
  readonly object: string;
  /** The directory of its later versions; exists only when there is or was one. */
  readonly versions: string;
}

const encode = (text: string): string => text.replace(/[A-Z]/g, (letter) => `+${letter.toLowerCase()}`);

/** The names one segment takes: a segment of 100 characters or more goes on in directories of its own. */
function segmentNames(segment: string, kind: EntryKind): string[] {
  const names: string[] = [];
  let rest = segment;
  while (rest.length >= chunkLength) {
    names.push(encode(rest.slice(0, chunkLength)) + suffixes.chunk);
    rest = rest.slice(chunkLength);
  }
  names.push(encode(rest) + suffixes[kind]);
  return names;
}

/** The paths of a valid object key, relative to `objects`. */
export function objectPath(key: string): ObjectPath {
  const segments = key.split('/');
  const last = segments.pop() ?? '';
  const parents = segments.flatMap((segment) => segmentNames(segment, 'directory'));
  const object = segmentNames(last, 'object');
  return {
    directory: [...parents, ...object.slice(0, -1)].join('/'),
    object: [...parents, ...object].join('/'),
    versions: [...parents, ...segmentNames(last, 'versions')].join('/'),
  };
}

/** The directory, relative to `objects`, of all keys that start with `prefix`, which is empty or ends in `/`. */
export function prefixDirectory(prefix: string): string {
  return prefix
    .split('/')
    .slice(0, -1)
    .flatMap((segment) => segmentNames(segment, 'directory'))
    .join('/');
}

export interface DirectoryEntry {
  readonly kind: EntryKind;
  /** What the entry adds to the key, with the `/` after a whole segment. */
  readonly text: string;
}

/** What a name in an object directory stands for, or undefined for a file that is not the store's. */
export function parseEntry(name: string): DirectoryEntry | undefined {
  const kind = kinds.get(name.slice(-2));
  if (kind === undefined || !entryPattern.test(name)) return undefined;
  const text = name.slice(0, -2).replace(/\+[a-z]/g, (escape) => escape.slice(1).toUpperCase());
  return { kind, text: kind === 'directory' ? `${text}/` : text };
}
