import type { NodeContext } from './node-context.js';

type Stores = Pick<NodeContext, 'dataStore' | 'logStore'>;

const reads: ReadonlySet<PropertyKey> = new Set<keyof Stores['dataStore'] | keyof Stores['logStore']>([
  'get',
  'getRange',
  'read',
]);

/** The stores of a node, for one piece of work: `onRead` is called for each read of an object's content. */
export function countedReads({ dataStore, logStore }: Stores, onRead: () => void): Stores {
  return { dataStore: counted(dataStore, onRead), logStore: counted(logStore, onRead) };
}

function counted<T extends object>(store: T, onRead: () => void): T {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...given: unknown[]): unknown => {
        if (reads.has(name)) onRead();
        return Reflect.apply(value, target, given);
      };
    },
  });
}
