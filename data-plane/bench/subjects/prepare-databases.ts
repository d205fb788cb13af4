import type { DataNode } from './data-node.js';
import { type BenchDatabase } from './data-node.js';
import { fillItems, schema } from './workload.js';

const parallel = 8;

/** Does `work` for every item, a few at a time; results in the order of the items. */
export async function inParallel<Item, Value>(
  items: readonly Item[],
  work: (item: Item, index: number) => Promise<Value>,
): Promise<Value[]> {
  const values: Value[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) values[at] = await work(items[at] as Item, at);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return values;
}

/** Creates databases with the tables and rows of the statement cases. */
export async function createWorkloadDatabases(node: DataNode, count: number): Promise<BenchDatabase[]> {
  return inParallel(Array.from({ length: count }), async (_, index) => {
    const database = await node.createDatabase(`work${index}`);
    await node.execute(database, ...schema, fillItems);
    return database;
  });
}
