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
