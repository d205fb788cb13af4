import { Counter, Histogram, Registry } from 'prom-client';
import { TraceMetrics } from '@turso-byoc/data-plane/metering/trace-metrics.js';
import { ProcessMetrics } from '@turso-byoc/data-plane/metering/process-metrics.js';
import { WatchedGauge } from '@turso-byoc/data-plane/metering/watched-gauge.js';

const callBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export type CatalogOperation = 'read' | 'write';

/**
 * The counters of one control plane process, in a registry of their own. Names and labels are an interface: dashboards and
 * alarms are built on them. Labels carry patterns of routes, never what fills them.
 */
export class ControlMetrics {
  readonly #registry = new Registry();
  readonly #requests: Counter<'route' | 'method' | 'status'>;
  readonly #duration: Histogram<'method'>;
  readonly #errors: Counter<'code'>;
  readonly #catalogCalls: Counter<'operation' | 'outcome'>;
  readonly #catalogDuration: Histogram<'operation'>;
  readonly #reconciled: Counter<'outcome'>;
  readonly #exports: Counter<'outcome'>;
  readonly #exportedEntries: Counter;
  readonly #usageCollections: Counter<'outcome'>;
  readonly #usageBatches: Counter;
  readonly #signIns: Counter<'outcome'>;
  /** Databases and groups whose creation or deletion was found unfinished by the last look. */
  readonly reconcilerBacklog: WatchedGauge;
  /** How long the oldest audit entry that is not exported has waited. */
  readonly auditExportLagSeconds: WatchedGauge;
  readonly traces: TraceMetrics;
  readonly processes: ProcessMetrics;

  constructor() {
    const registers = [this.#registry];
    const prefix = 'turso_byoc_control_';
    this.#requests = new Counter({
      name: `${prefix}requests_total`,
      help: 'Calls of the Platform API, by route, method and status.',
      labelNames: ['route', 'method', 'status'],
      registers,
    });
    this.#duration = new Histogram({
      name: `${prefix}request_duration_seconds`,
      help: 'Time from a call of the Platform API to its answer, by method.',
      labelNames: ['method'],
      buckets: callBuckets,
      registers,
    });
    this.#errors = new Counter({
      name: `${prefix}errors_total`,
      help: 'Calls of the Platform API that were answered with an error, by its code; RATE_LIMITED and QUOTA_EXCEEDED among them.',
      labelNames: ['code'],
      registers,
    });
    this.#catalogCalls = new Counter({
      name: `${prefix}catalogue_calls_total`,
      help: 'Calls of the catalog database, with all their attempts, by operation and outcome.',
      labelNames: ['operation', 'outcome'],
      registers,
    });
    this.#catalogDuration = new Histogram({
      name: `${prefix}catalogue_duration_seconds`,
      help: 'Time a call of the catalog database took, attempts and pauses included.',
      labelNames: ['operation'],
      buckets: callBuckets,
      registers,
    });
    this.reconcilerBacklog = new WatchedGauge(
      this.#registry,
      `${prefix}reconciler_backlog`,
      'Databases whose creation or deletion was found unfinished by the last look of the reconciler.',
    );
    this.#reconciled = new Counter({
      name: `${prefix}reconciled_total`,
      help: 'Attempts to finish what was left of a database, by outcome.',
      labelNames: ['outcome'],
      registers,
    });
    this.auditExportLagSeconds = new WatchedGauge(
      this.#registry,
      `${prefix}audit_export_lag_seconds`,
      'How long audit entries have waited for their export, which begins after 30 s; 0 when none wait.',
    );
    this.#exports = new Counter({
      name: `${prefix}audit_exports_total`,
      help: 'Exports of audit entries to the control store, by outcome.',
      labelNames: ['outcome'],
      registers,
    });
    this.#exportedEntries = new Counter({
      name: `${prefix}audit_exported_entries_total`,
      help: 'Audit entries that were exported.',
      registers,
    });
    this.#usageCollections = new Counter({
      name: `${prefix}usage_collections_total`,
      help: 'Collections of what the data nodes counted, once a minute and for answers, by outcome.',
      labelNames: ['outcome'],
      registers,
    });
    this.#usageBatches = new Counter({
      name: `${prefix}usage_batches_total`,
      help: 'Batches of usage that were put into the catalog, those that were there already included.',
      registers,
    });
    this.#signIns = new Counter({
      name: `${prefix}sign_ins_total`,
      help: 'Sign-ins through the identity provider that came back from it, by outcome.',
      labelNames: ['outcome'],
      registers,
    });
    this.traces = new TraceMetrics(this.#registry, prefix);
    this.processes = new ProcessMetrics(this.#registry, 'control');
    // A counter that begins with its first event would hide that event from whoever looks for an increase.
    for (const outcome of ['done', 'failed']) {
      for (const counter of [this.#reconciled, this.#exports, this.#usageCollections, this.#signIns])
        counter.inc({ outcome }, 0);
      for (const operation of ['read', 'write']) this.#catalogCalls.inc({ operation, outcome }, 0);
    }
    for (const code of ['RATE_LIMITED', 'QUOTA_EXCEEDED', 'INTERNAL', 'DATA_PLANE_UNAVAILABLE']) {
      this.#errors.inc({ code }, 0);
    }
  }

  /** `route`: the pattern under which it is registered, or `none`. */
  requestEnded(route: string, method: string, status: number, durationMs: number): void {
    this.#requests.inc({ route, method, status });
    this.#duration.observe({ method }, durationMs / 1000);
  }

  /** `code` of the error catalogue. */
  refused(code: string): void {
    this.#errors.inc({ code });
  }

  catalogCalled(operation: CatalogOperation, outcome: 'done' | 'failed', durationMs: number): void {
    this.#catalogCalls.inc({ operation, outcome });
    this.#catalogDuration.observe({ operation }, durationMs / 1000);
  }

  reconciled(outcome: 'done' | 'failed'): void {
    this.#reconciled.inc({ outcome });
  }

  exported(outcome: 'done' | 'failed', entries: number): void {
    this.#exports.inc({ outcome });
    this.#exportedEntries.inc(entries);
  }

  usageCollected(outcome: 'done' | 'failed', batches: number): void {
    this.#usageCollections.inc({ outcome });
    this.#usageBatches.inc(batches);
  }

  signedIn(outcome: 'done' | 'failed'): void {
    this.#signIns.inc({ outcome });
  }

  /** Everything there is, for whoever lists it or writes it elsewhere. */
  get registry(): Registry {
    return this.#registry;
  }

  /** Everything in the Prometheus text format, and its content type. */
  async expose(): Promise<{ readonly contentType: string; readonly text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}
