/**
 * What statements cost the databases of this node, by the shape of their texts, in the last day. It lies in the memory of the
 * node and nowhere else: a shape has no values, but names of tables and columns, which only whoever may unseal the database
 * may read (decision 0050).
 *
 * Invariant: what is told of a shape never exceeds what its statements did. Shapes that cost little are forgotten when there
 * are too many of them, and what they did with them.
 */
import type { ShapedCosts, StatementCosts } from '../engine/ipc/shaped-costs.js';
import type { DatabaseId } from '../identity.js';
import type { Runtime } from '../runtime.js';

const hourMs = 3_600_000;
/** How long costs are kept, in hours that have begun. */
const keptHours = 25;
/** Shapes of one database in one hour; when there are more, the half that costs least is forgotten. */
const mostShapes = 32;
/** Shapes in all hours of all databases of a node; beyond it the databases that were used longest ago are forgotten. */
const mostShapesOfNode = 65_536;
/** Shapes in an answer. */
const mostTold = 20;

type Hour = Map<string, ShapedCosts>;

export class TopStatements {
  /** By database, the one used longest ago first; then by the number of the hour since 1970. */
  readonly #databases = new Map<DatabaseId, Map<number, Hour>>();
  #shapes = 0;

  constructor(
    private readonly runtime: Pick<Runtime, 'nowMs'>,
    private readonly limit = mostShapesOfNode,
  ) {}

  /** Adds what statements of some shapes did now. */
  add(id: DatabaseId, costs: readonly ShapedCosts[]): void {
    if (costs.length === 0) return;
    const hours = this.#databases.get(id) ?? new Map<number, Hour>();
    this.#databases.delete(id);
    this.#databases.set(id, hours);
    const now = Math.floor(this.runtime.nowMs() / hourMs);
    for (const [number, hour] of hours) if (number <= now - keptHours) this.#drop(hours, number, hour);
    let hour = hours.get(now);
    if (!hour) hours.set(now, (hour = new Map<string, ShapedCosts>()));
    for (const each of costs) {
      const before = hour.get(each.shape);
      if (!before) this.#shapes += 1;
      hour.set(each.shape, before ? sum(before, each) : each);
      if (hour.size > mostShapes) this.#forgetCheap(hour);
    }
    for (const oldest of this.#databases.keys()) {
      if (this.#shapes <= this.limit || oldest === id) break;
      this.forget(oldest);
    }
  }

  /** The shapes that cost most since a time, in whole hours, the most expensive first: by rows, then by number. */
  top(id: DatabaseId, sinceMs: number): ShapedCosts[] {
    const first = Math.max(Math.floor(sinceMs / hourMs), Math.floor(this.runtime.nowMs() / hourMs) - keptHours + 1);
    const together: Hour = new Map<string, ShapedCosts>();
    for (const [number, hour] of this.#databases.get(id) ?? []) {
      if (number < first) continue;
      for (const [shape, costs] of hour) {
        const before = together.get(shape);
        together.set(shape, before ? sum(before, costs) : costs);
      }
    }
    return [...together.values()].sort(dearerFirst).slice(0, mostTold);
  }

  /** Forgets a database: its shapes may be known here no longer. */
  forget(id: DatabaseId): void {
    const hours = this.#databases.get(id);
    for (const [number, hour] of hours ?? []) if (hours) this.#drop(hours, number, hour);
    this.#databases.delete(id);
  }

  #drop(hours: Map<number, Hour>, number: number, hour: Hour): void {
    this.#shapes -= hour.size;
    hours.delete(number);
  }

  #forgetCheap(hour: Hour): void {
    const cheap = [...hour.values()].sort(dearerFirst).slice(mostShapes / 2);
    for (const { shape } of cheap) hour.delete(shape);
    this.#shapes -= cheap.length;
  }
}

function sum(one: ShapedCosts, other: StatementCosts): ShapedCosts {
  return {
    shape: one.shape,
    count: one.count + other.count,
    rowsRead: one.rowsRead + other.rowsRead,
    rowsWritten: one.rowsWritten + other.rowsWritten,
  };
}

function dearerFirst(one: StatementCosts, other: StatementCosts): number {
  return other.rowsRead + other.rowsWritten - (one.rowsRead + one.rowsWritten) || other.count - one.count;
}
