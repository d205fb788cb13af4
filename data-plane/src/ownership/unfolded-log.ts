import type { DatabaseId } from '../identity.js';
import type { FragmentLocation } from '../storage/log-location.js';

/** What an epoch logged of one database under its present term and no generation holds. */
export interface UnfoldedDatabase {
  readonly database: DatabaseId;
  readonly term: number;
  /** In commit order, at least one; replaced as a whole or added to, never changed otherwise. */
  readonly fragments: readonly FragmentLocation[];
  /** The last commit that is known to be folded in; 0 when none is. */
  readonly foldedCommit: number;
}

/** The epoch's list of unfolded fragments, as the upkeep of its log sees and changes it. */
export interface UnfoldedLog {
  databases(): Iterable<UnfoldedDatabase>;
  /** The lowest log position that an unfolded fragment lies at; undefined when none does. */
  lowestPosition(): number | undefined;
  /** The lowest one that a restore or fold in progress began with. */
  lowestHeldPosition(): number | undefined;
  /** Numbers of the packs in which unfolded fragments lie. */
  packs(): ReadonlySet<number>;
  /** Those that a restore or fold in progress began with. */
  heldPacks(): ReadonlySet<number>;
  /**
   * What lay at the locations `from` (objects that `databases` gave) lies at `to` from now on. What was folded or
   * forgotten meanwhile stays so.
   */
  relocate(database: DatabaseId, term: number, from: ReadonlySet<FragmentLocation>, to: FragmentLocation): void;
}
