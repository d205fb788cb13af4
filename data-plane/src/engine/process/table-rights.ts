import { ByocError } from '../../errors/catalogue.js';
import { tableActions, type TableAction, type TablePermission } from '../../auth/table-permissions.js';
import type { TableUse } from '../sql-gate/table-use.js';

/** The permissions of one token, ready to be asked. Names of tables are compared as SQLite does: ASCII letters without case. */
export class TableRights {
  readonly #everywhere = new Set<TableAction>();
  readonly #byTable = new Map<string, Set<TableAction>>();

  constructor(permissions: readonly TablePermission[]) {
    for (const { t, a } of permissions) {
      for (const action of a) {
        if (t === null) this.#everywhere.add(action);
        else for (const table of t) this.#actionsOf(foldedName(table)).add(action);
      }
    }
  }

  /** Throws `SQLITE_AUTH`, naming what is missing, unless everything that a statement does is permitted. */
  check(uses: readonly TableUse[]): void {
    for (const use of uses) {
      switch (use.kind) {
        case 'action':
          if (!this.#allows(use.action, use.table)) throw missing(use.action, use.table);
          break;
        case 'rename':
          for (const action of tableActions) {
            // Otherwise a table would be renamed to be read under a name that may be read.
            if (this.#allows(action, use.to) && !this.#allows(action, use.from)) throw missing(action, use.from);
          }
          break;
        case 'refused':
          throw new ByocError('SQLITE_AUTH', `not authorized: with a token for single tables, ${use.why}`);
      }
    }
  }

  /** Throws `SQLITE_AUTH` unless every table may be read. */
  checkReadsAll(what: string): void {
    if (this.#everywhere.has('data_read')) return;
    throw new ByocError('SQLITE_AUTH', `not authorized: ${what} takes a token with "data_read" on all tables`);
  }

  #allows(action: TableAction, table: string | null): boolean {
    if (this.#everywhere.has(action)) return true;
    return table !== null && this.#byTable.get(foldedName(table))?.has(action) === true;
  }

  #actionsOf(table: string): Set<TableAction> {
    let actions = this.#byTable.get(table);
    if (actions === undefined) {
      actions = new Set();
      this.#byTable.set(table, actions);
    }
    return actions;
  }
}

function foldedName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function missing(action: TableAction, table: string | null): ByocError {
  const where = table === null ? 'all tables' : `the table ${JSON.stringify(table)}`;
  return new ByocError('SQLITE_AUTH', `not authorized: the token has no "${action}" on ${where}`);
}

const known = new Map<string, TableRights>();
const mostKnown = 256;

/** The rights that `permissions` give; the same token asks many times. */
export function tableRights(permissions: readonly TablePermission[]): TableRights {
  const key = JSON.stringify(permissions);
  let rights = known.get(key);
  if (rights === undefined) {
    rights = new TableRights(permissions);
    if (known.size >= mostKnown) known.clear();
    known.set(key, rights);
  }
  return rights;
}
