import { createClient, type Client } from '@libsql/client';
import { createClient as createPlatformClient } from '@tursodatabase/api';
import type { Place, PlacedDatabase, PlatformDescription } from './place.js';

/** An organization of Turso Cloud or of a deployment. */
export class PlatformPlace implements Place {
  readonly title: string;
  readonly #description: PlatformDescription;
  readonly #platform: ReturnType<typeof createPlatformClient>;
  #hosts: ReadonlyMap<string, string> | undefined;

  constructor(description: PlatformDescription) {
    this.#description = description;
    this.title = `${description.organization} at ${new URL(description.apiUrl).host}`;
    this.#platform = createPlatformClient({
      org: description.organization,
      token: description.token,
      baseUrl: `${description.apiUrl}/v1/`,
    });
  }

  async list(): Promise<readonly PlacedDatabase[]> {
    const databases = await this.#platform.databases.list();
    this.#hosts = new Map(databases.map(({ name, hostname }) => [name, hostname]));
    return databases.map(({ name, group, database_type }) => ({
      name,
      group: group ?? 'default',
      onTursoEngine: database_type === 'tursodb',
    }));
  }

  async ensure({ name, group, onTursoEngine }: PlacedDatabase): Promise<void> {
    const groups = await this.#platform.groups.list();
    if (!groups.some((each) => each.name === group)) {
      // Where several locations are offered, the ones that are used already come first.
      const location = groups[0]?.primary ?? (await this.#platform.locations.closest()).server;
      await this.#platform.groups.create(group, location);
    }
    if (await this.#has(name)) return;
    await this.#platform.databases.create(name, { group, ...(onTursoEngine ? { useTursoDb: true } : {}) });
    this.#hosts = undefined;
  }

  async open(name: string): Promise<Client> {
    const { jwt } = await this.#platform.databases.createToken(name, { expiration: '1d' });
    return createClient({ url: await this.#url(name), authToken: jwt, intMode: 'bigint' });
  }

  async setFrozen(name: string, frozen: boolean): Promise<void> {
    const { apiUrl, organization, token } = this.#description;
    const path = `v1/organizations/${encodeURIComponent(organization)}/databases/${encodeURIComponent(name)}/configuration`;
    const response = await fetch(`${apiUrl}/${path}`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ block_writes: frozen }),
      signal: AbortSignal.timeout(30_000),
    });
    if (!response.ok)
      throw new Error(`writes to ${name} were not ${frozen ? 'stopped' : 'allowed'}: ${await response.text()}`);
  }

  async access(name: string): Promise<{ readonly url: string; readonly token: string }> {
    const { jwt } = await this.#platform.databases.createToken(name);
    return { url: await this.#url(name), token: jwt };
  }

  async #has(name: string): Promise<boolean> {
    try {
      await this.#platform.databases.get(name);
      return true;
    } catch (error) {
      // The package declares a class for its errors that it does not export.
      if ((error as { readonly status?: number }).status === 404) return false;
      throw error;
    }
  }

  async #url(name: string): Promise<string> {
    const { dataUrl, organization } = this.#description;
    if (dataUrl !== undefined) return `${dataUrl}/db/${name}-${organization}/`;
    if (this.#hosts?.has(name) !== true) await this.list();
    const host = this.#hosts?.get(name);
    if (host === undefined) throw new Error(`${this.title} has no database ${name}`);
    return `libsql://${host}`;
  }
}
