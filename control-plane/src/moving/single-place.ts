import { createClient, type Client } from '@libsql/client';
import type { Place, PlacedDatabase, SingleDescription } from './place.js';

/** One database of a server that has no Platform API, or none that is used. */
export class SinglePlace implements Place {
  readonly title: string;
  readonly #description: SingleDescription;

  constructor(description: SingleDescription) {
    this.#description = description;
    this.title = new URL(description.url).host;
  }

  async list(): Promise<readonly PlacedDatabase[]> {
    return [{ name: this.#description.name, group: 'default', onTursoEngine: false }];
  }

  async ensure({ name }: PlacedDatabase): Promise<void> {
    if (name !== this.#description.name) {
      throw new Error(
        `${this.title} is one database, "${this.#description.name}"; choose the one to move there with --database`,
      );
    }
  }

  async open(): Promise<Client> {
    const { url, token } = this.#description;
    return createClient({ url, intMode: 'bigint', ...(token === undefined ? {} : { authToken: token }) });
  }

  async setFrozen(): Promise<void> {
    throw new Error(`${this.title} cannot be told to stop writes; stop its writers yourself and leave out --freeze`);
  }

  async access(): Promise<{ readonly url: string }> {
    return { url: this.#description.url };
  }
}
