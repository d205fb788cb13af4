import type { EngineName } from '../../identity.js';
import type { EngineConnection, SqlValue } from '../adapters/adapter.js';
import { alwaysForbiddenFunctions, isAllowedFunction } from './allowed-functions.js';
import { allowedModules, alwaysForbiddenNames } from './allowed-modules.js';
import { isAllowedPragmaTable } from './pragma-rules.js';

/**
 * What a tenant's text may not name: everything that the loaded engine registers and that is not on our lists. Read from the
 * engine itself, so that an engine update cannot open a hole by adding a function or a module.
 */
export class ForbiddenNames {
  private readonly anywhere: RegExp;

  private constructor(
    private readonly engine: EngineName,
    private readonly functions: ReadonlySet<string>,
    private readonly names: ReadonlySet<string>,
  ) {
    const escaped = [...functions, ...names, 'pragma_'].map((name) => name.replace(/\W/gu, '\\$&'));
    this.anywhere = new RegExp(escaped.join('|'), 'iu');
  }

  /** Asks the engine behind `connection` for its functions and modules. Throws `EngineError`. */
  static read(engine: EngineName, connection: EngineConnection): ForbiddenNames {
    const functions = new Set(alwaysForbiddenFunctions);
    for (const name of firstColumn(connection, 'PRAGMA function_list')) {
      if (!isAllowedFunction(engine, name)) functions.add(name);
    }
    const names = new Set(alwaysForbiddenNames);
    for (const name of firstColumn(connection, 'PRAGMA module_list')) {
      if (!allowedModules.has(name) && !isAllowedPragmaModule(engine, name)) names.add(name);
    }
    return new ForbiddenNames(engine, functions, names);
  }

  /** False when no forbidden name can stand in the text; a quick look that spares most texts a closer one. */
  mayStandIn(text: string): boolean {
    return this.anywhere.test(text);
  }

  /** True when a call of this function is refused. `name` is in lower case. */
  isForbiddenFunction(name: string): boolean {
    return this.functions.has(name);
  }

  /** True when the name is refused wherever it stands: a virtual table module or a PRAGMA used as a table. Lower case. */
  isForbiddenName(name: string): boolean {
    if (this.names.has(name)) return true;
    return name.startsWith('pragma_') && !isAllowedPragmaModule(this.engine, name);
  }
}

/**
 * On the Turso engine none is: after such a query the connection goes on in a transaction that never ends, so that later
 * statements of it succeed and are lost. The PRAGMA statement itself is sound.
 */
function isAllowedPragmaModule(engine: EngineName, name: string): boolean {
  return engine === 'libsql' && name.startsWith('pragma_') && isAllowedPragmaTable(name.slice('pragma_'.length));
}

function firstColumn(connection: EngineConnection, sql: string): string[] {
  return Array.from(connection.prepare(sql).rows([]), (row: SqlValue[]) => String(row[0]).toLowerCase());
}
