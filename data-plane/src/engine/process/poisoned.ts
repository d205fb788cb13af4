import type { ByocError } from '../../errors/catalogue.js';

/** The local copy of a database can no longer be trusted: it must be closed, thrown away and restored. */
export class PoisonedError extends Error {
  override readonly name = 'PoisonedError';
  /** What the client of the request that caused it may be told; undefined: it gets no answer. */
  readonly answer: ByocError | undefined;

  constructor(reason: string, answer?: ByocError) {
    super(reason);
    this.answer = answer;
  }
}
