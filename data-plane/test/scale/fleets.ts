/** The fleets that are measured, and what their databases do. */

export interface Fleet {
  readonly name: string;
  readonly nodes: number;
  readonly databases: number;
  /** Part of the databases that is open at one time: asked for something within `idleCloseMs`. */
  readonly openPart: number;
}

/** What an open database does: a write a minute, and reads that cost no request to a store. */
export const writesPerOpenDatabaseAndMinute = 1;
export const readsPerOpenDatabaseAndMinute = 10;
/** Databases that are opened in a minute, as a part of those that are open: each stays open for ten minutes on average. */
export const opensPerOpenDatabaseAndMinute = 0.1;
/** What a database holds on average, its history included. */
export const storedBytesPerDatabase = 2 ** 20;
export const zones = 3;

export const fleets: readonly Fleet[] = [
  { name: 'small', nodes: 3, databases: 10_000, openPart: 0.1 },
  { name: 'medium', nodes: 12, databases: 100_000, openPart: 0.1 },
  { name: 'large', nodes: 100, databases: 1_000_000, openPart: 0.1 },
];

export const openDatabases = ({ databases, openPart }: Fleet): number => Math.round(databases * openPart);

/** A fleet of the same shape with a part of its databases: for runs that have to be short. */
export function shrunk(fleet: Fleet, part: number): Fleet {
  return { ...fleet, databases: Math.max(fleet.nodes * 30, Math.round(fleet.databases * part)) };
}
