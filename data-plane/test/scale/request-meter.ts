/** Counts what stores are asked, by store and first part of the name, and finds the second in which most was asked. */
import type { StoreRequest } from '../simulator/store/store-link.js';

export interface PrefixLoad {
  /** `data` or a store of the log. */
  readonly store: string;
  /** The first part of the names: all of it in one partition, as S3 begins with. */
  readonly prefix: string;
  readonly writesPerSecond: number;
  readonly deletesPerSecond: number;
  readonly readsPerSecond: number;
  readonly listsPerSecond: number;
  /** In the second in which most was written and deleted, or read and listed: what the limits of S3 are about. */
  readonly peakWrites: number;
  readonly peakReads: number;
}

type Kind = 'writes' | 'deletes' | 'reads' | 'lists';

interface Counter {
  readonly total: Record<Kind, number>;
  readonly bySecond: { readonly writes: Map<number, number>; readonly reads: Map<number, number> };
}

const kinds: Readonly<Record<StoreRequest['operation'], Kind>> = {
  get: 'reads',
  getRange: 'reads',
  put: 'writes',
  delete: 'deletes',
  list: 'lists',
};

export class RequestMeter {
  readonly #counters = new Map<string, Counter>();
  #startedMs: number;

  constructor(nowMs: number) {
    this.#startedMs = nowMs;
  }

  count({ store, operation, key }: StoreRequest, nowMs: number): void {
    const name = `${store} ${key.split('/', 1)[0] ?? key}`;
    let counter = this.#counters.get(name);
    if (!counter) {
      counter = {
        total: { writes: 0, deletes: 0, reads: 0, lists: 0 },
        bySecond: { writes: new Map(), reads: new Map() },
      };
      this.#counters.set(name, counter);
    }
    const kind = kinds[operation];
    counter.total[kind] += 1;
    const seconds = counter.bySecond[kind === 'writes' || kind === 'deletes' ? 'writes' : 'reads'];
    const second = Math.floor((nowMs - this.#startedMs) / 1_000);
    seconds.set(second, (seconds.get(second) ?? 0) + 1);
  }

  /** What was counted since the meter began or was read last, the busiest prefix first. Begins anew. */
  read(nowMs: number): PrefixLoad[] {
    const seconds = (nowMs - this.#startedMs) / 1_000;
    const loads = [...this.#counters].map(([name, { total, bySecond }]): PrefixLoad => {
      const [store = '', prefix = ''] = name.split(' ');
      return {
        store,
        prefix,
        writesPerSecond: total.writes / seconds,
        deletesPerSecond: total.deletes / seconds,
        readsPerSecond: total.reads / seconds,
        listsPerSecond: total.lists / seconds,
        peakWrites: Math.max(0, ...bySecond.writes.values()),
        peakReads: Math.max(0, ...bySecond.reads.values()),
      };
    });
    this.#counters.clear();
    this.#startedMs = nowMs;
    const all = (load: PrefixLoad): number =>
      load.writesPerSecond + load.deletesPerSecond + load.readsPerSecond + load.listsPerSecond;
    return loads.sort((one, other) => all(other) - all(one));
  }
}
