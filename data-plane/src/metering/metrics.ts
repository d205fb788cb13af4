import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { requestKinds, type RequestKind } from '../engine/ipc/messages.js';
import type { ErrorCode } from '../errors/catalogue.js';
import type { KeyUse } from '../keys/key-service.js';
import type { StoreRequest } from './counting-object-store.js';

/** How a request ended; `aborted` = the client went away before it had the whole answer. */
export type StatusClass = '2xx' | '3xx' | '4xx' | '5xx' | 'aborted';

const statusClasses: readonly StatusClass[] = ['2xx', '3xx', '4xx', '5xx', 'aborted'];
/** From a point select in memory (below a millisecond) to the longest statement deadline. */
const requestBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const storeBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface BoundKind {
  readonly counts: ReadonlyMap<StatusClass, { inc(): void }>;
  readonly duration: { observe(seconds: number): void };
}

/**
 * The counters of one data node, in a registry of their own. Names and labels are an interface: dashboards and alarms
 * are built on them. Labels never carry the name of a database, whose number has no bound.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: ReadonlyMap<RequestKind | 'other', BoundKind>;
  readonly #authFailures: Counter<'code'>;
  readonly #engineRestarts: Counter<'cause'>;
  readonly #logObjects: Counter;
  readonly #logBytes: Counter;
  readonly #condemned: Counter;
  readonly #recovered: Counter;
  readonly #storeRequests: Counter<'operation' | 'outcome' | 'objects'>;
  readonly #storeDuration: Histogram<'operation'>;
  readonly #storeBytes: Counter<'direction'>;
  readonly #zoneEvents: Counter<'zone' | 'event'>;
  readonly #keyUses: Counter<'operation' | 'outcome'>;
  readonly #keyLosses: Counter<'cause'>;
  #openDatabases = (): number => 0;
  #keysInUse = (): number => 0;
  #engineProcesses = (): { ordinary: number; isolation: number } => ({ ordinary: 0, isolation: 0 });
  #failingZones = (): ReadonlyMap<string, boolean> => new Map();

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
      ([...requestKinds, 'other'] as const).map((kind) => [
        kind,
        {
          counts: new Map(statusClasses.map((status) => [status, requests.labels(kind, status)])),
          duration: duration.labels(kind),
        },
      ]),
    );
    this.#authFailures = new Counter({
      name: `${prefix}auth_failures_total`,
      help: 'Requests refused for their credential, by error code.',
      labelNames: ['code'],
      registers,
    });
    const openDatabases = (): number => this.#openDatabases();
    new Gauge({
      name: `${prefix}open_databases`,
      help: 'Databases open on this node.',
      registers,
      collect() {
        this.set(openDatabases());
      },
    });
    const engineProcesses = (): Readonly<Record<string, number>> => this.#engineProcesses();
    new Gauge({
      name: `${prefix}engine_processes`,
      help: 'Engine processes that run, by what they are for; an isolation process may stand by.',
      labelNames: ['purpose'],
      registers,
      collect() {
        for (const [purpose, count] of Object.entries(engineProcesses())) this.set({ purpose }, count);
      },
    });
    this.#engineRestarts = new Counter({
      name: `${prefix}engine_restarts_total`,
      help: 'Engine processes started again, by cause.',
      labelNames: ['cause'],
      registers,
    });
    this.#logObjects = new Counter({
      name: `${prefix}commit_log_objects_total`,
      help: 'Objects of the commit log that were stored.',
      registers,
    });
    this.#logBytes = new Counter({
      name: `${prefix}commit_log_bytes_total`,
      help: 'Bytes of the commit log that were stored.',
      registers,
    });
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
    const failingZones = (): ReadonlyMap<string, boolean> => this.#failingZones();
    new Gauge({
      name: `${prefix}log_zone_failing`,
      help: '1 when the last answer of a zone of the log was a failure, else 0.',
      labelNames: ['zone'],
      registers,
      collect() {
        for (const [zone, isFailing] of failingZones()) this.set({ zone }, Number(isFailing));
      },
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
    const keysInUse = (): number => this.#keysInUse();
    new Gauge({
      name: `${prefix}keys_in_use`,
      help: 'Keys of the key service that open databases depend on; each is probed.',
      registers,
      collect() {
        this.set(keysInUse());
      },
    });
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
  }

  /** A request ended; `kind` is `other` for everything that is not SQL. */
  requestEnded(kind: RequestKind | 'other', status: StatusClass, durationMs: number): void {
    const bound = this.#requests.get(kind);
    bound?.counts.get(status)?.inc();
    bound?.duration.observe(durationMs / 1000);
  }

  authFailed(code: ErrorCode): void {
    this.#authFailures.inc({ code });
  }

  /** From now on `count` is asked, whenever the metrics are, how many databases are open. */
  watchOpenDatabases(count: () => number): void {
    this.#openDatabases = count;
  }

  /** `cause` comes from a small fixed set, for example `statement-deadline` or `crash`. */
  engineRestarted(cause: string): void {
    this.#engineRestarts.inc({ cause });
  }

  logObjectStored(bytes: number): void {
    this.#logObjects.inc();
    this.#logBytes.inc(bytes);
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

  /** From now on `running` is asked, whenever the metrics are, how many engine processes run. */
  watchEngines(running: () => { readonly ordinary: number; readonly isolation: number }): void {
    this.#engineProcesses = running;
  }

  /** From now on `failing` is asked, whenever the metrics are, which zones of the log fail. */
  watchZones(failing: () => ReadonlyMap<string, boolean>): void {
    this.#failingZones = failing;
  }

  keyUsed(operation: KeyUse['operation'], outcome: KeyUse['outcome']): void {
    this.#keyUses.inc({ operation, outcome });
  }

  keyLost(cause: 'refused' | 'mismatch' | 'unavailable', databases: number): void {
    this.#keyLosses.inc({ cause }, databases);
  }

  /** From now on `count` is asked, whenever the metrics are, how many keys open databases depend on. */
  watchKeys(count: () => number): void {
    this.#keysInUse = count;
  }

  storeRequestEnded(request: StoreRequest): void {
    this.#storeRequests.inc({ operation: request.operation, outcome: request.outcome, objects: request.objects });
    this.#storeDuration.observe({ operation: request.operation }, request.durationMs / 1000);
    if (request.sentBytes > 0) this.#storeBytes.inc({ direction: 'sent' }, request.sentBytes);
    if (request.receivedBytes > 0) this.#storeBytes.inc({ direction: 'received' }, request.receivedBytes);
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
