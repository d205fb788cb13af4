/**
 * What an ended epoch made durable of each of its databases: one line of text for each, sorted by the database's id.
 *
 * A record of very many databases is claimed from by every node, each of which asks for a few of them. So a node keeps the
 * lines as they are stored, knows where each begins, and parses one when it is asked for; nothing here takes long at once.
 */
import { Ajv, type ValidateFunction } from 'ajv';
import { ByocError } from '../errors/catalogue.js';
import { isDatabaseId, type DatabaseId } from '../identity.js';
import { fragmentLocationSchema, type FragmentLocation } from '../storage/log-location.js';
import { joining } from '../storage/long-buffers.js';
import type { Work } from '../turns.js';

/** What the epoch logged of a database under one term. */
export interface LoggedTerm {
  readonly term: number;
  readonly fragments: readonly FragmentLocation[];
}

/** Line: the id, a space, and a JSON object of the locations by term. */
const idLength = 36;
const space = 0x20;
const newline = 0x0a;

/** Making a line takes about that many times as long as encrypting its bytes. */
const encodingCost = 8;
/** Looking a line over takes about that many times as long. */
const checkingCost = 2;

type LocationsByTerm = Readonly<Record<string, readonly FragmentLocation[]>>;

const locationsByTermSchema = {
  type: 'object',
  patternProperties: { '^(0|[1-9][0-9]*)$': { type: 'array', items: fragmentLocationSchema } },
  additionalProperties: false,
};

/** Compiled when the first line is read. */
let compiled: ValidateFunction<LocationsByTerm> | undefined;

function areLocationsByTerm(value: unknown): value is LocationsByTerm {
  compiled ??= new Ajv({ strict: true }).compile<LocationsByTerm>(locationsByTermSchema);
  return compiled(value);
}

export class RecoveredDatabases {
  private constructor(
    readonly lines: Buffer,
    /** Where each line begins, and where the last one ends. */
    private readonly starts: Uint32Array,
  ) {}

  static *from(databases: Iterable<readonly [DatabaseId, readonly LoggedTerm[]]>): Work<RecoveredDatabases> {
    // Sorted in many small portions, so that none takes long.
    const portions = new Map<string, string[]>();
    let count = 0;
    for (const [database, terms] of databases) {
      const line = lineOf(database, terms);
      const portion = portions.get(database.slice(0, 2));
      if (portion) portion.push(line);
      else portions.set(database.slice(0, 2), [line]);
      count += 1;
      yield line.length * encodingCost;
    }
    const starts = new Uint32Array(count + 1);
    const parts: Buffer[] = [];
    let at = 0;
    let next = 0;
    for (const name of [...portions.keys()].sort()) {
      const lines = (portions.get(name) as string[]).sort();
      for (const line of lines) {
        starts[next++] = at;
        at += line.length;
      }
      const part = Buffer.from(lines.join(''), 'latin1');
      parts.push(part);
      yield part.length * checkingCost;
    }
    starts[count] = at;
    return new RecoveredDatabases(yield* joining(parts), starts);
  }

  /** Reads stored lines. Throws `STORE_OBJECT_CORRUPT`, naming `key`, when they are not lines of databases in order. */
  static *decode(key: string, lines: Buffer): Work<RecoveredDatabases> {
    const starts: number[] = [];
    let previous = '';
    for (let at = 0; at < lines.length;) {
      const id = lines.toString('latin1', at, at + idLength);
      const end = lines.indexOf(newline, at);
      // A line out of its place would not be found: as if the epoch had logged nothing.
      if (end < 0 || lines[at + idLength] !== space || !isDatabaseId(id) || id <= previous) {
        throw new ByocError('STORE_OBJECT_CORRUPT', `object ${key} is damaged: it does not list databases in order`);
      }
      starts.push(at);
      yield (end + 1 - at) * checkingCost;
      previous = id;
      at = end + 1;
    }
    starts.push(lines.length);
    return new RecoveredDatabases(lines, Uint32Array.from(starts));
  }

  /** In order. */
  *ids(): Generator<DatabaseId> {
    for (let line = 0; line < this.starts.length - 1; line++) yield this.#idOf(line);
  }

  /** In commit order; none when the epoch logged nothing of the database under this term. Throws `STORE_OBJECT_CORRUPT`. */
  fragments(database: DatabaseId, term: number): readonly FragmentLocation[] {
    const line = this.#find(database);
    if (line === undefined) return [];
    const [start, end] = [this.#startOf(line), this.#startOf(line + 1)];
    const byTerm = parse(this.lines.toString('latin1', start + idLength, end));
    if (!areLocationsByTerm(byTerm)) {
      throw new ByocError(
        'STORE_OBJECT_CORRUPT',
        `what a recovery record says of database ${database} has a wrong shape`,
      );
    }
    return byTerm[term] ?? [];
  }

  #find(database: DatabaseId): number | undefined {
    let low = 0;
    let high = this.starts.length - 2;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const id = this.#idOf(middle);
      if (id === database) return middle;
      if (id < database) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  #idOf(line: number): DatabaseId {
    const start = this.#startOf(line);
    return this.lines.toString('latin1', start, start + idLength) as DatabaseId;
  }

  #startOf(line: number): number {
    return this.starts[line] as number;
  }
}

function lineOf(database: DatabaseId, terms: readonly LoggedTerm[]): string {
  const byTerm = terms.map(({ term, fragments }) => `"${term}":${JSON.stringify(fragments)}`);
  return `${database} {${byTerm.join(',')}}\n`;
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
