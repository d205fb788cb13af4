/**
 * What the owner of a database needs of the engine processes, and nothing more. `EnginePool` implements it; a simulator
 * puts an engine of its own in its place.
 */
import type { DatabaseId, EngineName } from '../../identity.js';
import type { EngineDirectory } from './engine-directory.js';
import type { EngineSlot } from './engine-slot.js';

export interface Engines {
  /** The engine process that a database is to be opened in. Throws SHUTTING_DOWN. */
  place(id: DatabaseId, engine: EngineName): Promise<EnginePlace>;
  /**
   * An engine process of its own, for files that nobody has looked into yet: should it die of one, no database does. Waits
   * while others have borrowed one. Throws SHUTTING_DOWN.
   */
  borrow(engine: EngineName): Promise<BorrowedEngine>;
  /** Ends an engine process for what its memory may hold, when the databases in it have moved. */
  recycle(place: EnginePlace): void;
}

export interface BorrowedEngine {
  readonly place: EnginePlace;
  /** Ends the process. */
  readonly giveBack: () => Promise<void>;
}

/** An engine process that databases are opened in. */
export type EnginePlace = Pick<
  EngineSlot,
  'isAlive' | 'open' | 'close' | 'checkpoint' | 'request' | 'credit' | 'cancel'
> & {
  readonly directory: Pick<
    EngineDirectory,
    'createDatabaseDirectory' | 'createDatabaseFile' | 'handOver' | 'removeDatabaseDirectory'
  >;
};
