/**
 * Runs hostile cases in a process of its own, the way an engine process would: gate, then adapter. Reads a JSON file with
 * { engine, folder, cases } and writes one line of JSON for each case when it is over, so that the parent knows which case
 * the process died of.
 */
import { mkdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { loadAdapter } from '../../dist/engine/adapters/load-adapter.js';
import { SqlGate } from '../../dist/engine/sql-gate/gate.js';

const { engine, folder, cases } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const adapter = await loadAdapter(engine);
const report = (value) => writeSync(1, `${JSON.stringify(value)}\n`);
const describe = (error) => ({ name: error.name, code: error.code, message: String(error.message).slice(0, 2000) });
const show = (value) => {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value;
};

for (const { index, hostile } of cases) {
  const database = join(folder, `database-${index}`);
  mkdirSync(database);
  const path = join(database, 'db');
  if (hostile.planted !== undefined) {
    const author = adapter.open(path, { maxPages: 10_000 });
    for (const sql of hostile.planted) author.exec(sql);
    author.close();
  }
  const outcome = { index, steps: [] };
  let connection;
  try {
    connection = adapter.open(path, { maxPages: 10_000 });
  } catch (error) {
    report({ index, steps: [{ stage: 'gate', error: describe(error) }] });
    continue;
  }
  const gate = new SqlGate(engine);
  const run = (sql) => {
    const step = { stage: 'gate' };
    outcome.steps.push(step);
    try {
      const plan = gate.plan(sql, connection);
      step.stage = 'execution';
      const rows = [];
      for (const row of connection.prepare(plan.sql).rows([])) if (rows.push(row) >= 1000) break;
      step.rows = JSON.stringify(rows, (_key, value) => show(value)).slice(0, 100_000);
      step.stage = 'done';
      if (plan.changesSchema) gate.invalidate();
    } catch (error) {
      step.error = describe(error);
    }
    return step;
  };
  for (const sql of hostile.setup ?? []) {
    const { error } = run(sql);
    if (error !== undefined) outcome.setupError = error;
  }
  outcome.steps = [];
  for (const sql of typeof hostile.sql === 'string' ? [hostile.sql] : hostile.sql) run(sql);
  connection.close();
  report(outcome);
}
