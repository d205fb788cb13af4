import { appendFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { LibsqlError, type Client } from '@libsql/client';
import { copyDatabase } from './copy-database.js';
import type { MoveState } from './move-state.js';
import type { Place, PlacedDatabase } from './place.js';
import { readSchema, text } from './schema.js';

const longestFreezeMs = 120_000;
const freezePollMs = 250;

export interface MoveOptions {
  readonly from: Place;
  readonly to: Place;
  readonly databases: readonly PlacedDatabase[];
  readonly state: MoveState;
  /** Stops writes at the source for good, before a database is copied. */
  readonly freezes: boolean;
  /** Databases at one time. */
  readonly atOnce: number;
  /** Gets a line of JSON for each database: name, address and a new token. */
  readonly accessFile: string | undefined;
  readonly report: (line: string) => void;
}

export interface MoveResult {
  readonly moved: number;
  readonly before: number;
  readonly failures: readonly { readonly name: string; readonly why: string }[];
}

/** Moves databases, each by itself: one that cannot be moved holds up no other. */
export async function moveDatabases(options: MoveOptions): Promise<MoveResult> {
  const failures: { name: string; why: string }[] = [];
  const waiting = options.databases.filter(({ name }) => options.state.of(name) !== 'done');
  const before = options.databases.length - waiting.length;
  let moved = 0;
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let database = waiting[next++]; database !== undefined; database = waiting[next++]) {
      const { name } = database;
      try {
        await moveDatabase(database, options);
        moved++;
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        failures.push({ name, why });
        options.report(`FAILED ${name}: ${why}`);
      }
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, worker));
  return { moved, before, failures };
}

async function moveDatabase(database: PlacedDatabase, options: MoveOptions): Promise<void> {
  const { from, to, state, freezes, accessFile } = options;
  const { name } = database;
  const report = (line: string): void => {
    options.report(`${name}: ${line}`);
  };
  if (state.of(name) === undefined) {
    await refuseForeign(database, to);
    await state.set(name, 'begun');
  }
  await to.ensure(database);
  if (freezes) await from.setFrozen(name, true);
  const source = await from.open(name);
  try {
    if (freezes) await untilFrozen(source);
    const target = await to.open(name);
    try {
      const { tables, rows, left } = await copyDatabase(source, target, report);
      for (const what of left) report(`left behind: ${what}`);
      if (left.length > 0) throw new Error('some of it cannot be copied by SQL; take a file of it: docs/migrate.md');
      report(`ok, ${tables} tables, ${rows} rows, equal on both sides`);
    } finally {
      target.close();
    }
  } finally {
    source.close();
  }
  if (accessFile !== undefined) {
    await appendFile(accessFile, `${JSON.stringify({ name, ...(await to.access(name)) })}\n`, { mode: 0o600 });
  }
  await state.set(name, 'done');
}

/** The servers of a database hear of it later than the one that was told. */
async function untilFrozen(source: Client): Promise<void> {
  const giveUpMs = performance.now() + longestFreezeMs;
  const { rows } = await source.execute('PRAGMA user_version');
  while (performance.now() < giveUpMs) {
    try {
      // A write that changes nothing.
      await source.execute(`PRAGMA user_version = ${text(rows[0]?.[0] ?? 0)}`);
    } catch (error) {
      if (error instanceof LibsqlError && /BLOCKED|FORBIDDEN/i.test(error.code)) return;
      throw error;
    }
    await delay(freezePollMs);
  }
  throw new Error(`writes were stopped, but after ${longestFreezeMs / 1000} s they are still taken; run this again`);
}

/** Throws when the target has a database of that name with something in it. */
async function refuseForeign({ name }: PlacedDatabase, to: Place): Promise<void> {
  if (!(await to.list()).some((each) => each.name === name)) return;
  const client = await to.open(name);
  try {
    const { tables, rest } = await readSchema(client);
    if (tables.length + rest.length > 0)
      throw new Error(`${to.title} has a database of this name, which is not empty; nothing is overwritten`);
  } finally {
    client.close();
  }
}
