/**
 * Entry of the memory case's process without a server: opens databases through the data node's own adapter and stays, so
 * that it can be seen what the engine alone takes for each. Arguments: engine, directory. One message in: how many.
 */
import { join } from 'node:path';
import type { EngineConnection } from '@turso-byoc/data-plane/engine/adapters/adapter.js';
import { loadAdapter } from '@turso-byoc/data-plane/engine/adapters/load-adapter.js';

const [, , engine, directory] = process.argv;
if ((engine !== 'libsql' && engine !== 'tursodb') || directory === undefined) {
  throw new Error('usage: open-many-process.js libsql|tursodb <directory>');
}
const adapter = await loadAdapter(engine);
const open: EngineConnection[] = [];

function openOne(): void {
  const connection = adapter.open(join(directory ?? '', `${open.length}.db`), { maxPages: 1_000 });
  connection.prepare('CREATE TABLE t (a)').run([]);
  connection.prepare('INSERT INTO t VALUES (1)').run([]);
  open.push(connection);
}

process.on('message', (count: number) => {
  while (open.length < count) openOne();
  process.send?.('opened');
});
process.once('disconnect', () => process.exit(0));
process.send?.('started');
