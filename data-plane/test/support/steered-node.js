// A data node like any other, on stores that a test can hold up. Messages in: `hold` and `release`, with the store, the
// operation and a part of the key. Message out: `held`, whenever a call begins to wait.
import { pino } from 'pino';
import { configuredStores } from '../../dist/node/node-stores.js';
import { nodeSettings } from '../../dist/node/settings.js';
import { startNode } from '../../dist/node/start-node.js';
import { systemRuntime } from '../../dist/runtime.js';

const holds = [];

process.on('message', (message) => {
  if (message.type === 'hold') {
    const { promise, resolve } = deferred();
    holds.push({ ...message, released: promise, release: resolve });
  } else {
    for (const hold of holds.splice(0)) hold.release();
  }
  process.send({ type: 'done' });
});

class SteeredStore {
  constructor(name, store) {
    this.name = name;
    this.store = store;
  }

  async #pass(operation, key) {
    const hold = holds.find(
      (known) => known.store === this.name && known.operation === operation && key.includes(known.key),
    );
    if (!hold) return;
    process.send({ type: 'held', store: this.name, operation, key });
    await hold.released;
  }

  async get(key) {
    await this.#pass('get', key);
    return this.store.get(key);
  }

  async getRange(key, start, length) {
    await this.#pass('getRange', key);
    return this.store.getRange(key, start, length);
  }

  async put(key, body, condition) {
    await this.#pass('put', key);
    return this.store.put(key, body, condition);
  }

  async delete(key) {
    await this.#pass('delete', key);
    return this.store.delete(key);
  }

  async list(prefix, options) {
    await this.#pass('list', prefix);
    return this.store.list(prefix, options);
  }
}

function deferred() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}

const settings = nodeSettings(process.env);
const open = configuredStores(settings.stores, systemRuntime, () => undefined);
const node = await startNode({
  settings,
  openStore: async (name) => new SteeredStore(name, await open(name)),
  version: '0.0.0',
  log: pino({ level: settings.logLevel }),
  onFenced: () => process.exit(70),
});
process.once('SIGTERM', () => node.stop().then(() => process.exit(0)));
process.once('disconnect', () => process.exit(1));
process.send({ type: 'ready', httpPort: node.httpPort, adminPort: node.adminPort });
