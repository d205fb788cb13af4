import { Counter, Histogram, type Registry } from 'prom-client';
import type { StoredLogObject } from '../storage/commit-log.js';
import { WatchedGauge } from './watched-gauge.js';

const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What the commit log of this node does, and how far behind it is. */
export class CommitMetrics {
  readonly #objects: Counter;
  readonly #bytes: Counter;
  readonly #commits: Counter;
  readonly #window: Histogram;
  readonly #store: Histogram;
  /** Age of the oldest commit that is not durable yet. */
  readonly lagSeconds: WatchedGauge;
  readonly pendingBytes: WatchedGauge;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#objects = new Counter({
      name: 'turso_byoc_commit_log_objects_total',
      help: 'Objects of the commit log that were stored.',
      registers,
    });
    this.#bytes = new Counter({
      name: 'turso_byoc_commit_log_bytes_total',
      help: 'Bytes of the commit log that were stored.',
      registers,
    });
    this.#commits = new Counter({
      name: 'turso_byoc_commits_total',
      help: 'Commits of all databases that became durable.',
      registers,
    });
    this.#window = new Histogram({
      name: 'turso_byoc_commit_window_seconds',
      help: 'How long the first commit of a log object waited for others before the object was handed to the store.',
      buckets: seconds,
      registers,
    });
    this.#store = new Histogram({
      name: 'turso_byoc_commit_store_seconds',
      help: 'How long the store took for a log object, retries included.',
      buckets: seconds,
      registers,
    });
    this.lagSeconds = new WatchedGauge(
      registry,
      'turso_byoc_commit_lag_seconds',
      'Age of the oldest commit that is not durable yet; 0 when every commit is.',
    );
    this.pendingBytes = new WatchedGauge(
      registry,
      'turso_byoc_commit_pending_bytes',
      'Bytes of commits that wait to be handed to the store.',
    );
  }

  stored({ bytes, commits, windowMs, storeMs }: StoredLogObject): void {
    this.#objects.inc();
    this.#bytes.inc(bytes);
    this.#commits.inc(commits);
    this.#window.observe(windowMs / 1000);
    this.#store.observe(storeMs / 1000);
  }
}
