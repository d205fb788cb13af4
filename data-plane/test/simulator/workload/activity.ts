/** What a client does next to a database: some transaction of some kind. */
import type { DatabaseHistory } from '../check/database-history.js';
import { audit, transferAcrossRequests, transferAtOnce } from './accounts.js';
import type { Client } from './client.js';
import { runAlone, runInTurn, runTogether, type Done } from './transactions.js';

type Activity = (client: Client, history: DatabaseHistory) => Promise<Done>;

const register = (client: Client): string => `r${client.random.below(3)}`;
const list = (client: Client): string => `l${client.random.below(2)}`;

const readRegister: Activity = async (client, history) =>
  runAlone(client, history, { op: 'get', key: register(client) });

const writeRegister: Activity = async (client, history) =>
  runAlone(client, history, { op: 'set', key: register(client), value: client.uniqueValue() });

const writeTogether: Activity = async (client, history) =>
  runTogether(client, history, [
    { op: 'set', key: 'r0', value: client.uniqueValue() },
    { op: 'get', key: 'r1' },
    { op: 'set', key: 'r2', value: client.uniqueValue() },
  ]);

const appendToList: Activity = async (client, history) =>
  runAlone(client, history, { op: 'append', key: list(client), value: client.uniqueValue() });

const appendInTurn: Activity = async (client, history) => {
  const key = list(client);
  return runInTurn(client, history, [
    { op: 'append', key, value: client.uniqueValue() },
    { op: 'append', key, value: client.uniqueValue() },
  ]);
};

const readList: Activity = async (client, history) => runAlone(client, history, { op: 'get', key: list(client) });

/** Makes the database grow and shrink by pages. */
const fill: Activity = async (client, history) => {
  const key = `f${client.random.below(40)}`;
  if (client.random.chance(30)) return runAlone(client, history, { op: 'set', key, value: null });
  const value = client.uniqueValue().padEnd(client.random.between(200, 3_000), '.');
  return runAlone(client, history, { op: 'set', key, value });
};

const compact: Activity = async (client, history) => {
  const call = history.calls();
  const outcome = await client.request(history, call, {
    baton: null,
    operations: [{ op: 'compact' }],
    close: true,
  });
  return outcome.kind === 'answered' ? { results: outcome.answer.results } : outcome;
};

/** A statement that only the deadline ends. */
const runaway: Activity = async (client, history) => {
  const call = history.calls();
  const outcome = await client.request(history, call, { baton: null, operations: [{ op: 'spin' }], close: true });
  return outcome.kind === 'answered' ? { results: outcome.answer.results } : outcome;
};

const weighted: readonly (readonly [weight: number, activity: Activity])[] = [
  [20, readRegister],
  [20, writeRegister],
  [8, writeTogether],
  [12, appendToList],
  [6, appendInTurn],
  [8, readList],
  [16, transferAtOnce],
  [6, transferAcrossRequests],
  [8, audit],
  [10, fill],
  [1, compact],
  [0.3, runaway],
];
const totalWeight = weighted.reduce((sum, [weight]) => sum + weight, 0);

export async function actSomehow(client: Client, history: DatabaseHistory): Promise<Done> {
  let drawn = client.random.fraction() * totalWeight;
  for (const [weight, activity] of weighted) {
    drawn -= weight;
    if (drawn < 0) return activity(client, history);
  }
  return readRegister(client, history);
}
