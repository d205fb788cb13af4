/** A bank in a database: money moves between accounts, inside one request or across several, and none is made or lost. */
import type { DatabaseHistory } from '../check/database-history.js';
import type { ModelResult } from '../engine/model-protocol.js';
import { balanceOf } from '../engine/operations.js';
import type { Client } from './client.js';
import { runAlone, runInteractively, runTogether, type Done } from './transactions.js';

const accounts = ['a0', 'a1', 'a2', 'a3'];
const openingBalance = 100;

export async function openAccounts(client: Client, history: DatabaseHistory): Promise<Done> {
  return runTogether(
    client,
    history,
    accounts.map((key) => ({ op: 'set', key, value: `${openingBalance}@${client.machine.name}` })),
  );
}

export async function transferAtOnce(client: Client, history: DatabaseHistory): Promise<Done> {
  return runAlone(client, history, { op: 'transfer', ...someTransfer(client) });
}

/** Reads both balances, thinks, writes both. */
export async function transferAcrossRequests(client: Client, history: DatabaseHistory): Promise<Done> {
  const { from, to, amount, id } = someTransfer(client);
  return runInteractively(client, history, (results) => {
    switch (results.length) {
      case 0:
        return { op: 'get', key: from };
      case 1:
        return { op: 'get', key: to };
      case 2: {
        const balance = readBalance(results[0]);
        if (balance === undefined || readBalance(results[1]) === undefined || balance < amount) return 'rollback';
        return { op: 'set', key: from, value: `${balance - amount}@${id}` };
      }
      case 3:
        return { op: 'set', key: to, value: `${(readBalance(results[1]) ?? 0) + amount}@${id}` };
      default:
        return client.random.chance(10) ? 'rollback' : 'commit';
    }
  });
}

/** Adds up all balances. */
export async function audit(client: Client, history: DatabaseHistory): Promise<Done> {
  const done = await runAlone(client, history, { op: 'all', prefix: 'a' });
  if (!('results' in done)) return done;
  const [result] = done.results;
  if (!result || 'error' in result || typeof result.value === 'string' || result.value === null) return done;
  if (result.value.length === 0) return done;
  const sum = result.value.reduce((total, [, account]) => total + balanceOf(account), 0);
  if (sum !== accounts.length * openingBalance) {
    client.world.violate(
      `the accounts of database ${history.name} hold ${sum}, not ${accounts.length * openingBalance}`,
    );
  }
  return done;
}

function someTransfer(client: Client): { from: string; to: string; amount: number; id: string } {
  const from = client.random.below(accounts.length);
  const to = (from + 1 + client.random.below(accounts.length - 1)) % accounts.length;
  return {
    from: accounts[from] ?? '',
    to: accounts[to] ?? '',
    amount: client.random.between(1, 30),
    id: client.uniqueValue(),
  };
}

function readBalance(result: ModelResult | undefined): number | undefined {
  return result && 'value' in result && typeof result.value === 'string' ? balanceOf(result.value) : undefined;
}
