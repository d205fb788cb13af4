const line = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([^}]*)\})? (\S+)$/;
const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

/** The counters of a data node at one moment. */
export class MetricsSnapshot {
  private constructor(private readonly samples: readonly Sample[]) {}

  /** Reads the Prometheus text format. */
  static parse(text: string): MetricsSnapshot {
    const samples = text.split('\n').flatMap((row): Sample[] => {
      const [, name, labels, value] = line.exec(row) ?? [];
      if (name === undefined) return [];
      const pairs = [...(labels ?? '').matchAll(label)].map(([, key, text]) => [key ?? '', text ?? ''] as const);
      return [{ name, labels: new Map(pairs), value: Number(value) }];
    });
    return new MetricsSnapshot(samples);
  }

  /** Sum of every series of this name whose labels have these values; 0 when there is none. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const wanted = Object.entries(labels);
    return this.samples.reduce((sum, sample) => {
      const matches = sample.name === name && wanted.every(([key, value]) => sample.labels.get(key) === value);
      return matches ? sum + sample.value : sum;
    }, 0);
  }
}

/** What happened in the data node between two moments. */
export class MetricsDifference {
  constructor(
    private readonly before: MetricsSnapshot,
    private readonly after: MetricsSnapshot,
  ) {}

  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.after.sum(name, labels) - this.before.sum(name, labels);
  }

  get logObjects(): number {
    return this.sum('turso_byoc_commit_log_objects_total');
  }

  get storeRequests(): number {
    return this.sum('turso_byoc_store_requests_total');
  }

  /** Requests to the store that change it. */
  get storeWrites(): number {
    return this.sum('turso_byoc_store_requests_total', { operation: 'put' });
  }

  /** Requests to the store by operation, without those that did not occur. */
  get storeOperations(): Readonly<Record<string, number>> {
    const operations = ['get', 'get_range', 'put', 'delete', 'list'];
    const counts = operations.map((operation) => {
      return [operation, this.sum('turso_byoc_store_requests_total', { operation })] as const;
    });
    return Object.fromEntries(counts.filter(([, count]) => count > 0));
  }

  /** Mean time of a write to the store; 0 without one. */
  get meanStoreWriteMs(): number {
    const labels = { operation: 'put' };
    const writes = this.sum('turso_byoc_store_request_duration_seconds_count', labels);
    const seconds = this.sum('turso_byoc_store_request_duration_seconds_sum', labels);
    return writes === 0 ? 0 : (seconds / writes) * 1000;
  }
}
