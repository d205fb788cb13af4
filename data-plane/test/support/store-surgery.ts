/** What an operator, an accident or an intruder can do to the stores while no node runs. */
import type { DatabaseId } from '../../src/identity.js';
import { LocalObjectStore } from '../../src/object-store/local-object-store.js';
import { storedManifest, type Manifest } from '../../src/storage/manifest.js';
import { manifestName } from '../../src/storage/object-names.js';
import type { DataNode, TestDatabase } from './data-node.js';

export class StoreSurgery {
  private constructor(
    readonly data: LocalObjectStore,
    readonly log: LocalObjectStore,
  ) {}

  static async of(node: DataNode): Promise<StoreSurgery> {
    const open = async (name: string): Promise<LocalObjectStore> =>
      LocalObjectStore.open(`${node.storeDirectory}/${name}`);
    return new StoreSurgery(await open('data'), await open('log'));
  }

  /** Keys of the objects of a database's generations that end like this, in order. */
  async objectsOf(database: TestDatabase, ending: RegExp): Promise<string[]> {
    const { keys } = await this.data.list('objects/');
    return keys.filter((key) => key.includes(database.id) && ending.test(key));
  }

  async manifestOf(database: TestDatabase): Promise<Manifest> {
    const key = manifestName(database.id as DatabaseId);
    return storedManifest.decode(key, (await this.#existing(this.data, key)).body);
  }

  async changeManifest(database: TestDatabase, change: Partial<Manifest>): Promise<void> {
    const manifest = { ...(await this.manifestOf(database)), ...change };
    await this.overwrite('data', manifestName(database.id as DatabaseId), storedManifest.encode(manifest));
  }

  /** Removes objects; what is returned puts them back. */
  async remove(from: 'data' | 'log', keys: readonly string[]): Promise<() => Promise<void>> {
    const store = this[from];
    const removed: [string, Buffer][] = [];
    for (const key of keys) {
      removed.push([key, (await this.#existing(store, key)).body]);
      await store.delete(key);
    }
    return async () => {
      for (const [key, body] of removed) await this.overwrite(from, key, body);
    };
  }

  async overwrite(where: 'data' | 'log', key: string, body: Uint8Array): Promise<void> {
    const current = await this[where].get(key);
    await this[where].put(key, body, current ? { ifMatch: current.etag } : { ifAbsent: true });
  }

  async copy(from: string, to: string): Promise<void> {
    await this.overwrite('data', to, (await this.#existing(this.data, from)).body);
  }

  async #existing(store: LocalObjectStore, key: string): Promise<{ body: Buffer }> {
    const object = await store.get(key);
    if (!object) throw new Error(`there is no object ${key}`);
    return object;
  }
}
