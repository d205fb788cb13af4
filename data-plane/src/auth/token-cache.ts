/**
 * Least-recently-used cache of verified tokens, bounded in number and in bytes. The key is the token itself: it is
 * compared as a whole, and hashing it would cost more than the look-up.
 */
export interface TokenCacheLimits {
  readonly maxTokens: number;
  /** Of token text plus a fixed charge per entry. */
  readonly maxBytes: number;
}

/** What an entry takes beside the token's text: its claims and its place in the map. */
export const entryOverheadBytes = 512;

export class TokenCache<Verified> {
  readonly #limits: TokenCacheLimits;
  /** In order of use, the least recent first. */
  readonly #entries = new Map<string, Verified>();
  #bytes = 0;

  constructor(limits: TokenCacheLimits) {
    this.#limits = limits;
  }

  get tokens(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(token: string): Verified | undefined {
    const verified = this.#entries.get(token);
    if (verified === undefined) return undefined;
    this.#entries.delete(token);
    this.#entries.set(token, verified);
    return verified;
  }

  set(token: string, verified: Verified): void {
    this.delete(token);
    this.#entries.set(token, verified);
    this.#bytes += token.length + entryOverheadBytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#limits.maxTokens && this.#bytes <= this.#limits.maxBytes) return;
      this.delete(oldest);
    }
  }

  delete(token: string): void {
    if (this.#entries.delete(token)) this.#bytes -= token.length + entryOverheadBytes;
  }
}
