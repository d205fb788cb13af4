/** Puts a data node together and runs it: stores, keys, engine processes, commit log, databases, the two servers. */
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { PublishedRules } from '../auth/published-rules.js';
import { TokenVerifier } from '../auth/token-verifier.js';
import { VerificationKeys } from '../auth/verification-keys.js';
import { EnginePool } from '../engine/pool/engine-pool.js';
import { Sandbox } from '../engine/pool/sandbox.js';
import { openKeyService } from '../keys/open-key-service.js';
import { CountingObjectStore } from '../metering/counting-object-store.js';
import { noVersions } from '../object-store/object-versions.js';
import { alarms } from '../metering/alarms/alarms.js';
import { EmbeddedMetrics } from '../metering/embedded-metrics.js';
import { Metrics } from '../metering/metrics.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { systemRuntime } from '../runtime.js';
import { createAdminServer } from '../server/admin-server.js';
import { createDataServer } from '../server/data-server.js';
import { Drain } from '../server/drain.js';
import { IssuerKeys } from '../auth/issuer-keys.js';
import { IssuerTokens } from '../auth/issuer-tokens.js';
import { ClientOrigins } from '../server/client-origins.js';
import { HttpPeers } from '../server/http-peers.js';
import { RecentEntries } from '../storage/log-store/recent-entries.js';
import { openTracing } from '../tracing/open-tracing.js';
import { Dependencies } from './dependencies.js';
import { KeyEvidence } from './key-evidence.js';
import { commitLogLimits, databaseLimits, databasePolicy, recentLogBytes } from './limits.js';
import { NodeCore } from './node-core.js';
import type { OpenStore, StoreName } from './node-stores.js';
import { openLogStore } from './open-log-store.js';
import { readSecret } from './secret-source.js';
import type { NodeSettings } from './settings.js';

export interface RunningNode {
  readonly httpPort: number;
  readonly adminPort: number;
  /** Stops accepting, finishes what runs, makes everything durable and ends the epoch. */
  stop(): Promise<void>;
}

export interface NodeOptions {
  readonly settings: NodeSettings;
  readonly openStore: OpenStore;
  readonly version: string;
  readonly log: Logger;
  /**
   * Another node has ended this epoch, or it cannot go on: nothing more can be acknowledged, and the process should end.
   * `cause` when it was something else than another node.
   */
  readonly onFenced: (cause?: unknown) => void;
}

/** Resolves when the node serves. */
export async function startNode({ settings, openStore, version, log, onFenced }: NodeOptions): Promise<RunningNode> {
  const runtime = systemRuntime;
  const metrics = new Metrics();
  const dependencies = new Dependencies(runtime, settings.stores.log.length);
  const tracing = await openTracing(settings.tracing, runtime, {
    resource: { 'service.name': 'turso-byoc-data-node', 'service.version': version, 'service.instance.id': hostname() },
    onSpans: (outcome, count) => metrics.traces.ended(outcome, count),
    onChange: (failure) => {
      if (failure === undefined) log.info('the collector takes traces again');
      else log.warn({ reason: failure }, 'the collector does not take traces');
    },
  });
  const counting = (name: StoreName, store: ObjectStore): ObjectStore =>
    new CountingObjectStore(store, runtime, (request) => {
      metrics.storeRequestEnded(request);
      tracing?.storeRequestEnded(name, request);
      dependencies.onLogRequest(name, request);
    });
  const counted = async (name: StoreName): Promise<ObjectStore> => {
    const store = counting(name, await openStore(name));
    if (name !== 'data' && name !== 'control') dependencies.watchLog(name, store);
    return store;
  };
  const ordinary = new Set([
    'engine process started',
    'node condemned',
    'log zone in use',
    'format level raised',
    'key usable again',
  ]);
  const report = (event: string, fields: Readonly<Record<string, unknown>>): void => {
    if (ordinary.has(event)) log.info(fields, event);
    else {
      metrics.warned(event);
      log.warn(fields, event);
    }
  };
  const evidence = new KeyEvidence(log, metrics);
  const [openedData, controlStore] = await Promise.all([openStore('data'), counted('control')]);
  const dataStore = counting('data', openedData);
  const [logs, keys, credential] = await Promise.all([
    openLogStore({
      runtime,
      locations: settings.stores,
      openStore: counted,
      dataStore,
      report,
      onZoneEvent: (zone, event) => metrics.zoneEvent(zone, event),
    }),
    openKeyService(settings.keyService, {
      runtime,
      onUse: (use) => {
        evidence.onUse(use);
        dependencies.onKeyUse(use);
        tracing?.keyUsed(use);
      },
    }),
    readSecret(settings.adminCredential),
  ]);
  const { deployment } = logs;
  await keys.prove(deployment);
  dependencies.watchKeys(keys, deployment);
  const logStore = new RecentEntries(logs.logStore, recentLogBytes);
  metrics.failingZones.watch(() => new Map([...logs.failingZones()].map(([zone, fails]) => [zone, Number(fails)])));

  const sandbox = await Sandbox.probe({
    cacheDirectory: settings.cacheDirectory,
    entry: fileURLToPath(new URL('../engine-process.js', import.meta.url)),
  });
  log.info({ sandbox: sandbox.report }, 'protections of the engine processes');
  const engines = await EnginePool.start({
    sandbox,
    cacheDirectory: settings.cacheDirectory,
    runtime,
    metrics: { engineRestarted: (_engine, cause) => metrics.engineRestarted(cause) },
    report,
    processesPerEngine: settings.engineProcesses,
    keepsStandby: settings.standbyProcess,
    statementDeadlineMs: settings.statementDeadlineMs,
    memoryBytes: settings.engineMemoryMiB * 2 ** 20,
  });
  metrics.engines.watch(() => new Map(Object.entries(engines.processes)));
  metrics.engineQueue.watch(() => engines.queued);
  metrics.processes.watch(() => engines.processIds);

  const origins = new ClientOrigins({
    trustedProxies: settings.trustedProxies,
    adminCredential: credential.trim(),
    runtime,
  });
  const peers = new HttpPeers({
    adminCredential: credential.trim(),
    origins,
    name: hostname(),
    connectTimeoutMs: 1_000,
    log,
  });
  const core = await NodeCore.start({
    runtime,
    deployment,
    dataStore,
    dataVersions: openedData.versions ?? noVersions,
    logStore,
    keys: keys.service,
    keyWatch: settings.keyWatch,
    onKeyLost: (cause, count) => metrics.keyLost(cause, count),
    engines,
    peers,
    limits: databaseLimits(settings),
    policy: databasePolicy(settings),
    timing: settings.timing,
    log: {
      windowMs: settings.commitWindowMs,
      ...commitLogLimits,
      onStored: (object) => metrics.commits.stored(object),
    },
    maxOpenDatabases: settings.maxOpenDatabases,
    routeTimeoutMs: settings.routeTimeoutMs,
    report,
    onFenced,
    observer: metrics.databases.observer,
    tracing,
    onCondemned: () => metrics.nodeCondemned(),
    onUsage: (counts) => metrics.used(counts),
    onRecovered: () => metrics.epochRecovered(),
  });
  const { epoch, databases } = core;
  evidence.epoch = epoch;
  watchCore(metrics, core);

  const rules = new PublishedRules(controlStore);
  const verificationKeys = new VerificationKeys({ store: controlStore, rules, runtime, log });
  const drain = new Drain();
  metrics.requestsUnderWay.watch(() => drain.running);
  const dataServer = createDataServer({
    databases,
    tokens: new TokenVerifier({ keys: verificationKeys, runtime }),
    rules,
    origins,
    proxyProtocol: settings.proxyProtocol,
    issuers: new IssuerTokens({
      keys: new IssuerKeys({ allowedOrigins: settings.jwksOrigins, runtime, log }),
      runtime,
    }),
    metrics,
    runtime,
    log,
    version,
    notReadyBecause: () => {
      if (drain.isLeaving) return 'it stops';
      return core.isReady ? dependencies.silent() : 'its lease is over, the data store does not answer it';
    },
    drain,
    tracing,
  });
  const adminServer = createAdminServer({ databases, usage: core.usage, credential, metrics, runtime, log, tracing });
  await dataServer.listen({ host: settings.httpHost, port: settings.httpPort });
  await adminServer.listen({ host: settings.adminHost, port: settings.adminPort });
  await core.serveAt({
    host: settings.advertisedHost,
    httpPort: port(dataServer),
    adminPort: port(adminServer),
  });
  const embedded =
    settings.embeddedMetrics === undefined
      ? undefined
      : new EmbeddedMetrics({
          registry: metrics.registry,
          rules: alarms.filter(({ plane }) => plane === 'data'),
          namespace: settings.embeddedMetrics,
          log,
          nowMs: () => runtime.nowMs(),
        });
  embedded?.start();
  log.info({ epoch, httpPort: port(dataServer), adminPort: port(adminServer) }, 'the data node serves');

  return {
    httpPort: port(dataServer),
    adminPort: port(adminServer),
    stop: async () => {
      drain.beginToLeave();
      if (core.hasPeers) await runtime.sleep(settings.drainDelayMs);
      // From here on requests are passed on to other nodes, as long as connections to this one are left.
      await core.drain();
      await Promise.all([dataServer.close(), adminServer.close()]);
      await core.stop();
      logs.close();
      keys.close();
      peers.close();
      await Promise.all([engines.stop(), tracing?.stop()]);
      await embedded?.stop();
      log.info({ epoch }, 'the data node has stopped');
    },
  };
}

/** What of the node's state the metrics show. */
function watchCore(metrics: Metrics, core: NodeCore): void {
  const { databases, commits } = metrics;
  databases.open.watch(() => core.openDatabases);
  databases.streams.watch(() => core.openStreams);
  databases.unfoldedBytes.watch(() => core.unfolded.bytes);
  databases.unfoldedFragments.watch(() => core.unfolded.fragments);
  commits.lagSeconds.watch(() => core.logBacklog.lagMs / 1000);
  commits.pendingBytes.watch(() => core.logBacklog.pendingBytes);
  metrics.keysInUse.watch(() => core.keysInUse);
  metrics.uncollectedUsage.watch(() => core.uncollectedUsage);
}

function port(server: FastifyInstance): number {
  return (server.server.address() as AddressInfo).port;
}
