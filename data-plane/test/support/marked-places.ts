/**
 * Files with random content in places outside a tenant's database, to prove that its SQL can neither read, list nor
 * write there: whatever a client receives is searched for them.
 */
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HostilePaths } from '../hostile-sql/hostile-case.js';
import type { DataNode, TestDatabase } from './data-node.js';

const markerName = 'marker.txt';

export class MarkedPlaces {
  readonly #outside = mkdtempSync(join(tmpdir(), 'turso-byoc-outside-'));
  /** Content of every marker file; readable by everybody, so that no file permission helps the gate. */
  readonly #secret = randomUUID();
  /** A file name that no statement mentions: only a listing can bring it up. */
  readonly #unmentioned = `neighbour-${randomUUID()}`;
  readonly #folders: readonly string[];
  readonly #forbidden: string[];

  /** Marks the temporary directory, the directory of `node`, and the directory of an open database of another tenant. */
  constructor(node: DataNode, neighbour: TestDatabase, neighboursRow: string) {
    const inNode = join(node.directory, 'outside');
    mkdirSync(inNode);
    this.#folders = [this.#outside, inNode, databaseDirectory(node, neighbour)];
    for (const folder of [this.#outside, inNode]) chmodSync(folder, 0o755);
    for (const folder of this.#folders) {
      for (const name of [markerName, this.#unmentioned]) {
        writeFileSync(join(folder, name), this.#secret);
        chmodSync(join(folder, name), 0o644);
      }
    }
    this.#forbidden = [this.#unmentioned, ...disguises(this.#secret), ...disguises(neighboursRow)];
  }

  /** The paths that attack number `index` aims at; the places take turns. */
  paths(index: number): HostilePaths {
    const folder = this.#folders[index % this.#folders.length] as string;
    return { folder, marker: join(folder, markerName), fresh: join(folder, 'fresh') };
  }

  /** What of the secrets stands in `text`, plainly, in base64 or in hex. */
  leaks(text: string): string[] {
    return this.#forbidden.filter((secret) => text.includes(secret));
  }

  /** What has changed in the marked places: files that came, went or have another content. */
  changes(): string[] {
    return this.#folders.flatMap((folder) => {
      const others = readdirSync(folder).filter((name) => ![markerName, this.#unmentioned].includes(name));
      const foreign = others.filter((name) => !/^db(-wal|-shm)?$/.test(name));
      const altered = [markerName, this.#unmentioned].filter((name) => this.#content(folder, name) !== this.#secret);
      return [...foreign, ...altered].map((name) => join(folder, name));
    });
  }

  remove(): void {
    rmSync(this.#outside, { recursive: true, force: true });
  }

  #content(folder: string, name: string): string {
    try {
      return readFileSync(join(folder, name), 'utf8');
    } catch (error) {
      return String(error);
    }
  }
}

/** Where an engine process keeps the file of an open database. */
export function databaseDirectory(node: DataNode, database: TestDatabase): string {
  // Not what is below: directories of other databases come and go while it is listed.
  const found = readdirSync(node.cacheDirectory, { withFileTypes: true })
    .filter((engine) => engine.isDirectory())
    .flatMap((engine) => {
      const directory = join(node.cacheDirectory, engine.name);
      return readdirSync(directory).map((name) => ({ name, path: join(directory, name) }));
    })
    .filter(({ name }) => name.startsWith(`${database.id}.`));
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} directories of ${database.name}`);
  return found[0].path;
}

/** `text` as it stands, in hex, and in base64 wherever in a longer value it begins. */
function disguises(text: string): string[] {
  const bytes = Buffer.from(text);
  const hex = bytes.toString('hex');
  const base64 = [0, 1, 2].map((shift) => bytes.subarray(shift, shift + 30).toString('base64'));
  return [text, hex, hex.toUpperCase(), ...base64];
}
