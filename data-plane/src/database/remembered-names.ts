import type { DatabaseId } from '../identity.js';
import { hostLabel, type DatabaseAddress } from '../naming/host-label.js';
import type { DatabaseDescription } from './database-service.js';

/** Which database has a name, as it was looked up last; the oldest are forgotten first. */
export class RememberedNames {
  readonly #byLabel = new Map<string, DatabaseDescription>();
  readonly #most: number;
  /** How often a name was forgotten: what was looked up before may be out of date after. */
  #forgotten = 0;

  /** `most`: names that are remembered. */
  constructor(most: number) {
    this.#most = most;
  }

  get(address: DatabaseAddress): DatabaseDescription | undefined {
    return this.#byLabel.get(hostLabel(address));
  }

  /** Looks a name up anew, and remembers what it found unless something was forgotten meanwhile. */
  async lookUp(
    address: DatabaseAddress,
    find: (address: DatabaseAddress) => Promise<DatabaseDescription | undefined>,
  ): Promise<DatabaseDescription | undefined> {
    const forgotten = this.#forgotten;
    const description = await find(address);
    if (description && forgotten === this.#forgotten) this.#remember(hostLabel(address), description);
    return description;
  }

  forget(address: DatabaseAddress): void {
    this.#forgotten += 1;
    this.#byLabel.delete(hostLabel(address));
  }

  forgetId(id: DatabaseId): void {
    this.#forgotten += 1;
    for (const [label, description] of this.#byLabel) if (description.id === id) this.#byLabel.delete(label);
  }

  #remember(label: string, description: DatabaseDescription): void {
    if (this.#byLabel.size >= this.#most) {
      const [oldest] = this.#byLabel.keys();
      if (oldest !== undefined) this.#byLabel.delete(oldest);
    }
    this.#byLabel.set(label, description);
  }
}
