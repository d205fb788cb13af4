import { Counter, Histogram, Registry } from 'prom-client';
import { storageRequestKinds, type DatabaseRequestKind } from '../database/database-service.js';
import { requestKinds } from '../engine/ipc/messages.js';
import { catalogue, type ErrorCode } from '../errors/catalogue.js';
import type { KeyUse } from '../keys/key-service.js';
import { alarms } from './alarms/alarms.js';
import { CommitMetrics } from './commit-metrics.js';
import type { StoreRequest } from './counting-object-store.js';
import { DatabaseMetrics } from './database-metrics.js';
import { ProcessMetrics } from './process-metrics.js';
import { TraceMetrics } from './trace-metrics.js';
import type { UsageCounts } from './usage-batch.js';
import { WatchedGauge, WatchedGaugeBy } from './watched-gauge.js';

/** How a request ended; `aborted` = the client went away before it had the whole answer. */
export type StatusClass = '2xx' | '3xx' | '4xx' | '5xx' | 'aborted';

const statusClasses: readonly StatusClass[] = ['2xx', '3xx', '4xx', '5xx', 'aborted'];
/** From a point select in memory (below a millisecond) to the longest statement deadline. */
const requestBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const storeBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Kinds of objects that hold what databases hold. */
const sealedObjects: ReadonlySet<string> = new Set(['log', 'log-copies', 'objects']);

interface BoundKind {
  readonly counts: ReadonlyMap<StatusClass, { inc(by?: number): void }>;
  readonly duration: { observe(seconds: number): void };
}

/**
 * The counters of one data node, in a registry of their own. Names and labels are an interface: dashboards and alarms
 * are built on them. Labels never carry the name of a database, whose number has no bound.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: ReadonlyMap<DatabaseRequestKind | 'other', BoundKind>;
  readonly #errors: Counter<'code'>;
  readonly #authFailures: Counter<'code'>;
  readonly #engineRestarts: Counter<'cause'>;
  readonly #syncedBytes: Counter;
  readonly #rows: Counter<'direction'>;
  readonly #statements: Counter;
  readonly #condemned: Counter;
  readonly #recovered: Counter;
  readonly #storeRequests: Counter<'operation' | 'outcome' | 'objects'>;
  readonly #storeDuration: Histogram<'operation'>;
  readonly #storeBytes: Counter<'direction'>;
  readonly #zoneEvents: Counter<'zone' | 'event'>;
  readonly #sealedBytes: Counter<'objects'>;
  readonly #keyUses: Counter<'operation' | 'outcome'>;
  readonly #keyDuration: Histogram<'operation'>;
  readonly #keyLosses: Counter<'cause'>;
  readonly #warnings: Counter<'event'>;
  readonly commits: CommitMetrics;
  readonly databases: DatabaseMetrics;
  readonly processes: ProcessMetrics;
  readonly traces: TraceMetrics;
  readonly requestsUnderWay: WatchedGauge;
  /** What nobody has added up yet. */
  readonly uncollectedUsage: WatchedGauge;
  /** Requests that wait for room in an engine process. */
  readonly engineQueue: WatchedGauge;
  /** Engine processes that run, by what they are for. */
  readonly engines: WatchedGaugeBy;
  /** 1 for each zone of the log whose last answer was a failure, else 0. */
  readonly failingZones: WatchedGaugeBy;
  /** Keys of the key service that open databases depend on. */
  readonly keysInUse: WatchedGauge;

  constructor() {
    const registers = [this.#registry];
    const prefix = 'turso_byoc_';
    const requests = new Counter({
      name: `${prefix}requests_total`,
      help: 'Requests answered, by kind and status class.',
      labelNames: ['kind', 'status'],
      registers,
    });
    const duration = new Histogram({
      name: `${prefix}request_duration_seconds`,
      help: 'Time from the head of a request to the end of its answer.',
      labelNames: ['kind'],
      buckets: requestBuckets,
      registers,
    });
    this.#requests = new Map(
      ([...requestKinds, ...storageRequestKinds, 'other'] as const).map((kind) => [
        kind,
        {
          counts: new Map(statusClasses.map((status) => [status, requests.labels(kind, status)])),
          duration: duration.labels(kind),
        },
      ]),
    );
    this.#errors = new Counter({
      name: `${prefix}errors_total`,
      help: 'Requests that were answered with an error of the catalogue, by its code; errors of SQL are not among them.',
      labelNames: ['code'],
      registers,
    });
    this.#authFailures = new Counter({
      name: `${prefix}auth_failures_total`,
      help: 'Requests refused for their credential, by error code.',
      labelNames: ['code'],
      registers,
    });
    this.requestsUnderWay = new WatchedGauge(
      this.#registry,
      `${prefix}requests_under_way`,
      'Requests of clients that are being answered.',
    );
    this.commits = new CommitMetrics(this.#registry);
    this.databases = new DatabaseMetrics(this.#registry);
    this.processes = new ProcessMetrics(this.#registry, 'io');
    this.traces = new TraceMetrics(this.#registry, 'turso_byoc_');
    this.engines = new WatchedGaugeBy(
      this.#registry,
      `${prefix}engine_processes`,
      'Engine processes that run, by what they are for; an isolation process may stand by.',
      'purpose',
    );
    this.engineQueue = new WatchedGauge(
      this.#registry,
      `${prefix}engine_queue_length`,
      'Requests that wait for room in an engine process.',
    );
    this.#engineRestarts = new Counter({
      name: `${prefix}engine_restarts_total`,
      help: 'Engine processes started again, by cause.',
      labelNames: ['cause'],
      registers,
    });
    this.#syncedBytes = new Counter({
      name: `${prefix}synced_bytes_total`,
      help: 'Bytes of pages and frames that clients that replicate databases were sent, and sent.',
      registers,
    });
    this.#rows = new Counter({
      name: `${prefix}rows_total`,
      help: 'Rows that statements of clients gave back and wrote, by direction: what usage counts.',
      labelNames: ['direction'],
      registers,
    });
    this.#statements = new Counter({
      name: `${prefix}statements_total`,
      help: 'Statements of clients that were run.',
      registers,
    });
    this.uncollectedUsage = new WatchedGauge(
      this.#registry,
      `${prefix}usage_uncollected_batches`,
      'Batches of usage that this node stored and no control plane has collected; counted after every 16th.',
    );
    this.#condemned = new Counter({
      name: `${prefix}nodes_condemned_total`,
      help: 'Nodes that this one condemned because they did not renew their lease.',
      registers,
    });
    this.#recovered = new Counter({
      name: `${prefix}epochs_ended_total`,
      help: 'Epochs of other nodes that this one recovered or found recovered.',
      registers,
    });
    this.#zoneEvents = new Counter({
      name: `${prefix}log_zone_events_total`,
      help: 'Log objects that a zone took, that were given up there because two others have them, and other events.',
      labelNames: ['zone', 'event'],
      registers,
    });
    this.failingZones = new WatchedGaugeBy(
      this.#registry,
      `${prefix}log_zone_failing`,
      '1 when the last answer of a zone of the log was a failure, else 0.',
      'zone',
    );
    this.#warnings = new Counter({
      name: `${prefix}warnings_total`,
      help: 'Events that the log warns of, by their text: everything that failed in the background.',
      labelNames: ['event'],
      registers,
    });
    this.#keyUses = new Counter({
      name: `${prefix}key_requests_total`,
      help: 'Requests to the key service, by operation and outcome.',
      labelNames: ['operation', 'outcome'],
      registers,
    });
    this.#keyLosses = new Counter({
      name: `${prefix}databases_closed_for_key_total`,
      help: 'Open databases that were closed because their key was refused, does not fit any more, or was not answered for.',
      labelNames: ['cause'],
      registers,
    });
    this.#keyDuration = new Histogram({
      name: `${prefix}key_request_duration_seconds`,
      help: 'Time a request to the key service took, by operation.',
      labelNames: ['operation'],
      buckets: storeBuckets,
      registers,
    });
    this.keysInUse = new WatchedGauge(
      this.#registry,
      `${prefix}keys_in_use`,
      'Keys of the key service that open databases depend on; each is probed.',
    );
    this.#storeRequests = new Counter({
      name: `${prefix}store_requests_total`,
      help: 'Requests to the object store, by operation, outcome and kind of object.',
      labelNames: ['operation', 'outcome', 'objects'],
      registers,
    });
    this.#storeDuration = new Histogram({
      name: `${prefix}store_request_duration_seconds`,
      help: 'Time a request to the object store took, by operation.',
      labelNames: ['operation'],
      buckets: storeBuckets,
      registers,
    });
    this.#storeBytes = new Counter({
      name: `${prefix}store_bytes_total`,
      help: 'Bytes of object content sent to and received from the object store.',
      labelNames: ['direction'],
      registers,
    });
    this.#sealedBytes = new Counter({
      name: `${prefix}sealed_bytes_total`,
      help: 'Bytes of sealed content that the store took, by kind of object.',
      labelNames: ['objects'],
      registers,
    });
    this.#beginAtZero();
  }

  /** A counter that begins with its first event would hide that event from whoever looks for an increase. */
  #beginAtZero(): void {
    for (const direction of ['read', 'written']) this.#rows.inc({ direction }, 0);
    for (const { counts } of this.#requests.values()) counts.get('5xx')?.inc(0);
    for (const [code, { status }] of Object.entries(catalogue)) if (status >= 500) this.#errors.inc({ code }, 0);
    for (const cause of ['deadline', 'memory', 'crash', 'killed', 'protocol']) this.#engineRestarts.inc({ cause }, 0);
    for (const cause of ['refused', 'mismatch', 'unavailable']) this.#keyLosses.inc({ cause }, 0);
    for (const operation of ['generate', 'wrap', 'unwrap', 'probe', 'rewrap']) {
      for (const outcome of ['done', 'refused', 'mismatch', 'unavailable'])
        this.#keyUses.inc({ operation, outcome }, 0);
    }
    for (const { condition } of alarms) {
      if (condition.kind !== 'increase' || condition.of.metric !== 'turso_byoc_warnings_total') continue;
      for (const event of condition.of.where?.['event'] ?? []) this.#warnings.inc({ event }, 0);
    }
  }

  /** A request ended; `kind` is `other` for everything that is not SQL. */
  requestEnded(kind: DatabaseRequestKind | 'other', status: StatusClass, durationMs: number): void {
    const bound = this.#requests.get(kind);
    bound?.counts.get(status)?.inc();
    bound?.duration.observe(durationMs / 1000);
  }

  refused(code: ErrorCode): void {
    this.#errors.inc({ code });
    if (code.startsWith('AUTH_') || code === 'ADMIN_UNAUTHORIZED') this.#authFailures.inc({ code });
  }

  /** `cause` comes from a small fixed set, for example `statement-deadline` or `crash`. */
  engineRestarted(cause: string): void {
    this.#engineRestarts.inc({ cause });
  }

  /** A database used so much. */
  used({ bytesSynced, rowsRead, rowsWritten, queries }: Partial<UsageCounts>): void {
    if (bytesSynced !== undefined) this.#syncedBytes.inc(bytesSynced);
    if (rowsRead !== undefined) this.#rows.inc({ direction: 'read' }, rowsRead);
    if (rowsWritten !== undefined) this.#rows.inc({ direction: 'written' }, rowsWritten);
    if (queries !== undefined) this.#statements.inc(queries);
  }

  nodeCondemned(): void {
    this.#condemned.inc();
  }

  epochRecovered(): void {
    this.#recovered.inc();
  }

  /** Something happened between this node and a zone of its log. */
  zoneEvent(zone: string, event: string): void {
    this.#zoneEvents.inc({ zone, event });
  }

  /** The log warns of it; `event` is a text of this program, without anything that differs from time to time. */
  warned(event: string): void {
    this.#warnings.inc({ event });
  }

  keyUsed({ operation, outcome, durationMs }: Pick<KeyUse, 'operation' | 'outcome' | 'durationMs'>): void {
    this.#keyUses.inc({ operation, outcome });
    this.#keyDuration.observe({ operation }, durationMs / 1000);
  }

  keyLost(cause: 'refused' | 'mismatch' | 'unavailable', databases: number): void {
    this.#keyLosses.inc({ cause }, databases);
  }

  storeRequestEnded(request: StoreRequest): void {
    this.#storeRequests.inc({ operation: request.operation, outcome: request.outcome, objects: request.objects });
    this.#storeDuration.observe({ operation: request.operation }, request.durationMs / 1000);
    if (request.sentBytes > 0) this.#storeBytes.inc({ direction: 'sent' }, request.sentBytes);
    if (request.operation === 'put' && request.outcome === 'ok' && sealedObjects.has(request.objects)) {
      this.#sealedBytes.inc({ objects: request.objects }, request.sentBytes);
    }
    if (request.receivedBytes > 0) this.#storeBytes.inc({ direction: 'received' }, request.receivedBytes);
  }

  /** What there is, for the page that lists it. */
  get registry(): Registry {
    return this.#registry;
  }

  /** Everything in the Prometheus text format, and its content type. */
  async expose(): Promise<{ readonly contentType: string; readonly text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}

export function statusClass(status: number): StatusClass {
  if (status < 300) return '2xx';
  if (status < 400) return '3xx';
  return status < 500 ? '4xx' : '5xx';
}
