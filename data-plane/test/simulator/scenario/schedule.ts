/** A scripted run that something broken once went wrong in, or that chance alone comes by too rarely. */
export interface Schedule {
  readonly name: string;
  /** Returns what is wrong: nothing, if the product is whole. */
  readonly play: (seed: number) => Promise<readonly string[]>;
}
