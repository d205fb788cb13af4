import { Counter, Histogram, type Registry } from 'prom-client';
import type { NodeObserver } from '../database/node-observer.js';
import { WatchedGauge } from './watched-gauge.js';

const openBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const readBuckets = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** What happens to the databases of this node: opened, folded, collected, passed on. */
export class DatabaseMetrics {
  readonly open: WatchedGauge;
  /** Streams that keep a database open: in a transaction, or with stored SQL. */
  readonly streams: WatchedGauge;
  readonly webSockets: WatchedGauge;
  readonly unfoldedBytes: WatchedGauge;
  readonly unfoldedFragments: WatchedGauge;
  /** What the databases report goes here. */
  readonly observer: Required<NodeObserver>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.open = new WatchedGauge(registry, 'turso_byoc_open_databases', 'Databases open on this node.');
    this.streams = new WatchedGauge(
      registry,
      'turso_byoc_open_streams',
      'Streams that are in a transaction or have stored SQL, and keep their database open.',
    );
    this.webSockets = new WatchedGauge(
      registry,
      'turso_byoc_web_socket_connections',
      'WebSocket connections of SQL clients.',
    );
    this.unfoldedBytes = new WatchedGauge(
      registry,
      'turso_byoc_unfolded_bytes',
      'Bytes in the log of this node that no generation holds yet: what is read again when their databases are opened.',
    );
    this.unfoldedFragments = new WatchedGauge(
      registry,
      'turso_byoc_unfolded_fragments',
      'Fragments in the log of this node that no generation holds yet.',
    );
    const opens = new Counter({
      name: 'turso_byoc_database_opens_total',
      help: 'Databases that were opened from the store, by outcome.',
      labelNames: ['outcome'],
      registers,
    });
    const openSeconds = new Histogram({
      name: 'turso_byoc_database_open_seconds',
      help: 'Time from the request that needed a closed database until it was open.',
      buckets: openBuckets,
      registers,
    });
    const openReads = new Histogram({
      name: 'turso_byoc_database_open_reads',
      help: 'Reads of the data and log stores that it took to bring a database into an engine process.',
      buckets: readBuckets,
      registers,
    });
    const folds = new Counter({
      name: 'turso_byoc_folds_total',
      help: 'Folds of logged commits into a new generation, by outcome.',
      labelNames: ['outcome'],
      registers,
    });
    const foldSeconds = new Histogram({
      name: 'turso_byoc_fold_seconds',
      help: 'Time a fold took.',
      buckets: openBuckets,
      registers,
    });
    const collections = new Counter({
      name: 'turso_byoc_collections_total',
      help: 'Databases whose garbage was looked for, by outcome.',
      labelNames: ['outcome'],
      registers,
    });
    const collectedObjects = new Counter({
      name: 'turso_byoc_collected_objects_total',
      help: 'Objects that were deleted as garbage of databases.',
      registers,
    });
    const forwarded = new Counter({
      name: 'turso_byoc_forwarded_requests_total',
      help: 'Requests that were passed on to the node that has the database, by outcome.',
      labelNames: ['outcome'],
      registers,
    });
    const renewals = new Counter({
      name: 'turso_byoc_lease_renewals_total',
      help: 'Attempts to renew the lease of this node, by outcome; lost = another node has ended this one.',
      labelNames: ['outcome'],
      registers,
    });
    const fenced = new Counter({
      name: 'turso_byoc_epochs_fenced_total',
      help: 'Epochs of this process that ended against its will; it acknowledges nothing after that, and ends.',
      registers,
    });
    // A counter that begins with its first event would hide that event from whoever looks for an increase.
    for (const outcome of ['done', 'failed'] as const) {
      for (const counter of [opens, folds, collections, forwarded]) counter.inc({ outcome }, 0);
    }
    forwarded.inc({ outcome: 'refused' }, 0);
    for (const outcome of ['won', 'lost', 'unknown', 'refused'] as const) renewals.inc({ outcome }, 0);
    this.observer = {
      databaseOpened: (outcome, durationMs, reads) => {
        opens.inc({ outcome });
        if (outcome !== 'done') return;
        openSeconds.observe(durationMs / 1000);
        openReads.observe(reads);
      },
      folded: (outcome, durationMs) => {
        folds.inc({ outcome });
        if (outcome === 'done') foldSeconds.observe(durationMs / 1000);
      },
      collected: (outcome) => collections.inc({ outcome }),
      objectsDeleted: (count) => collectedObjects.inc(count),
      forwarded: (outcome) => forwarded.inc({ outcome }),
      leaseRenewed: (outcome) => renewals.inc({ outcome }),
      fenced: () => fenced.inc(),
    };
  }
}
