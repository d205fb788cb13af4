import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@libsql/client';
import type { Ledger } from './ledger.js';
import { openClient } from './workload.js';

export interface ProbeOptions {
  readonly attempt: (ledger: Ledger, client: Client) => Promise<void>;
  readonly url: (ledger: Ledger) => string;
  /** An attempt is given up after this long. */
  readonly attemptTimeoutMs: number;
  readonly giveUpMs: number;
}

const pauseMs = 20;

/**
 * Asks every database until it has answered; what it answers is checked by the ledger. Returns, in the order of
 * `ledgers`, how many milliseconds after `sinceMs` (of `performance.now()`) each answered, Infinity for never.
 */
export async function untilAnswered(
  ledgers: readonly Ledger[],
  sinceMs: number,
  { attempt, url, attemptTimeoutMs, giveUpMs }: ProbeOptions,
): Promise<number[]> {
  return Promise.all(
    ledgers.map(async (ledger) => {
      const client = openClient(url(ledger), ledger.database.token, attemptTimeoutMs);
      try {
        while (performance.now() - sinceMs < giveUpMs) {
          try {
            await attempt(ledger, client);
            return performance.now() - sinceMs;
          } catch {
            // Not yet: that is what is measured.
            await delay(pauseMs);
          }
        }
        return Infinity;
      } finally {
        client.close();
      }
    }),
  );
}
