import { Gauge, type Registry } from 'prom-client';

/** A gauge that asks for its value whenever the metrics are asked for; until `watch` is called it is 0. */
export class WatchedGauge {
  #read = (): number => 0;

  constructor(registry: Registry, name: string, help: string) {
    const read = (): number => this.#read();
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  }

  watch(read: () => number): void {
    this.#read = read;
  }
}

/** The same with one label; a value of the label that is not told any more is not shown any more. */
export class WatchedGaugeBy {
  #read = (): ReadonlyMap<string, number> => new Map();

  constructor(registry: Registry, name: string, help: string, label: string) {
    const read = (): ReadonlyMap<string, number> => this.#read();
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [registry],
      collect() {
        this.reset();
        for (const [value, number] of read()) this.set({ [label]: value }, number);
      },
    });
  }

  /** The values of the label must come from a small fixed set. */
  watch(read: () => ReadonlyMap<string, number>): void {
    this.#read = read;
  }
}
