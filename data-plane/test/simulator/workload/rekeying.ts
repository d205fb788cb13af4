/** Somebody who gives databases other data keys while others write to them, some with their history and some without. */
import type { Client } from './client.js';
import type { Population } from './population.js';

export interface RekeyingOptions {
  readonly population: Population;
  readonly client: Client;
  readonly isOver: () => boolean;
}

const mostRekeys = 12;

/** Another data key every second or two, until it is over. */
export async function rekeyDatabases({ population, client, isOver }: RekeyingOptions): Promise<void> {
  for (let number = 0; number < mostRekeys && !isOver(); number++) {
    await client.sleep(client.random.between(200, 2_500));
    const { live } = population;
    if (live.length === 0 || isOver()) continue;
    await population.rekey(client, client.random.pick(live), client.random.chance(50));
  }
}
