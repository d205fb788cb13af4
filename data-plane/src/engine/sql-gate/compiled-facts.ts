/** What compiling a statement showed. */
export interface CompiledFacts {
  readonly writes: boolean;
  readonly changesSchema: boolean;
  /** True when it creates or drops TEMP objects. */
  readonly changesTemporarySchema: boolean;
  readonly usesVirtualTable: boolean;
}
