import { ControlPlaneError } from '../errors/catalogue.js';
import { parseDumpUrl, type DumpAddress } from '../databases/dump-address.js';
import { isUnasked } from './unasked.js';

/** What a new database begins with. */
export type Seed =
  | BranchSeed
  | { readonly kind: 'upload' }
  /** A dump that was uploaded before. */
  | { readonly kind: 'dump'; readonly dump: DumpAddress };

/** Another database, as it is or as it was at a time in milliseconds since 1970. */
export interface BranchSeed {
  readonly kind: 'branch';
  /** Name of the other database. */
  readonly parent: string;
  readonly timeMs?: number;
}

/** A date, then optionally a time, to whatever fraction of a second, and its offset. */
const timestampPattern = /^\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2}))?$/;

/**
 * Reads the `seed` of a creation. The name of the database stands in `name` or, as the CLI sends it, in `value`; without a
 * type a seed with a name is a database. Throws `OPTION_NOT_OFFERED` for other kinds of seed and `SEED_INVALID`.
 */
export function parseSeed(seed: unknown, nowMs: number): Seed {
  if (typeof seed !== 'object' || seed === null || Array.isArray(seed)) throw invalid('"seed" must be an object');
  const { type, name, value, timestamp, url } = seed as Record<string, unknown>;
  // The client uploads a SQLite file to the data plane next.
  if (type === 'database_upload') return { kind: 'upload' };
  if (type === 'dump') {
    const dump = typeof url === 'string' ? parseDumpUrl(url) : undefined;
    if (dump) return { kind: 'dump', dump };
    // Whatever it names would be asked by the deployment, from inside its network.
    const message = '"url" must be a "dump_url" that POST …/databases/dumps answered: no other address is fetched';
    throw new ControlPlaneError('OPTION_NOT_OFFERED', message);
  }
  const parent = isUnasked(name) ? value : name;
  if (!isUnasked(type) && type !== 'database') {
    const message = '"seed" is offered with the types "database", "database_upload" and "dump" only';
    throw new ControlPlaneError('OPTION_NOT_OFFERED', message);
  }
  if (typeof parent !== 'string' || parent === '') throw invalid('"seed" must name a database');
  if (isUnasked(timestamp)) return { kind: 'branch', parent };
  const timeMs = typeof timestamp === 'string' && timestampPattern.test(timestamp) ? Date.parse(timestamp) : NaN;
  if (Number.isNaN(timeMs)) throw invalid('"timestamp" must be a time such as 2026-01-31T12:00:00Z');
  if (timeMs > nowMs) throw invalid('"timestamp" lies in the future');
  if (timeMs < 0) throw invalid('"timestamp" lies before 1970');
  return { kind: 'branch', parent, timeMs };
}

function invalid(message: string): ControlPlaneError {
  return new ControlPlaneError('SEED_INVALID', message);
}
