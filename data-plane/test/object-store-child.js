// A process that uses a local object store under the orders of a test.
//   node object-store-child.js <directory> create <prefix> <rounds> <racer>
//     creates <prefix><round> for each round and prints the rounds it won
//   node object-store-child.js <directory> increment <key> <times>
//     adds one to the number in <key> that many times, by If-Match
//   node object-store-child.js <directory> churn <seed>
//     creates, replaces and deletes for ever, printing a line before and after each write, until it is killed
import { createInterface } from 'node:readline';
import { LocalObjectStore } from '../dist/object-store/local-object-store.js';

const [directory, command, ...rest] = process.argv.slice(2);
const store = await LocalObjectStore.open(directory);
const say = (line) => new Promise((resolve) => process.stdout.write(`${JSON.stringify(line)}\n`, resolve));

async function ready() {
  await say('ready');
  for await (const line of createInterface({ input: process.stdin })) if (line === 'go') return;
}

if (command === 'create') {
  const [prefix, rounds, racer] = rest;
  await ready();
  const won = [];
  for (let round = 0; round < Number(rounds); round++) {
    const result = await store.put(`${prefix}${round}`, Buffer.from(racer), { ifAbsent: true });
    if (result.won) won.push(round);
  }
  await say(won);
} else if (command === 'increment') {
  const [key, times] = rest;
  await ready();
  const lostToOthers = { count: 0 };
  for (let done = 0; done < Number(times);) {
    const { body, etag } = await store.get(key);
    const result = await store.put(key, Buffer.from(String(Number(body.toString()) + 1)), { ifMatch: etag });
    if (result.won) done++;
    else lostToOthers.count++;
  }
  await say(lostToOthers);
} else {
  const seed = Number(rest[0]);
  const body = (key, count) => Buffer.alloc(1 + ((seed * 31 + count * 7919) % 40_000), `${key}:${count};`);
  await say('ready');
  const etags = new Map();
  for (let count = 0; ; count++) {
    const key = `churn/${(seed + count * 13) % 5}`;
    await say({ begin: count, key });
    const etag = etags.get(key);
    if (etag !== undefined && count % 7 === 0) {
      await store.delete(key);
      etags.delete(key);
      await say({ deleted: count, key });
    } else {
      const current = etag ?? (await store.get(key))?.etag;
      const condition = current === undefined ? { ifAbsent: true } : { ifMatch: current };
      const result = await store.put(key, body(key, count), condition);
      if (!result.won) throw new Error('lost without a rival');
      etags.set(key, result.etag);
      await say({ won: count, key });
    }
  }
}
process.exit(0);
