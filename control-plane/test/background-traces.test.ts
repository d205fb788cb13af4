/** Traces of what a real control plane does behind calls: the reconciler, migrations of a fleet, bulk work. They go on in real data nodes. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TraceCollector, treeOf, type CollectedSpan } from '../../data-plane/test/support/trace-collector.js';
import { mostItemSpans } from '../src/tracing/item-spans.js';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';
import { eventually } from './support/platform-caller.js';

let collector: TraceCollector;
let local: LocalSystemForTests;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'background-traces-'));
  collector = await TraceCollector.start();
  local = await startLocalSystemForTests({
    controlPlane: fileURLToPath(new URL('support/crash-once.js', import.meta.url)),
    environment: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_TRACES_SAMPLER_ARG: '1',
      TURSO_BYOC_ENGINE_PROCESSES: '1',
      TURSO_BYOC_STANDBY_PROCESS: '0',
      CRASH_STEP: 'creating-row-inserted',
      CRASH_DATABASE: 'victim',
      CRASH_FILE: join(directory, 'crashed'),
    },
  });
}, 60_000);
afterAll(async () => {
  await local.stop();
  collector.close();
  await rm(directory, { recursive: true });
});

const secretTable = 'table_that_a_client_chose_5521';
const secretText = 'text-in-a-migration-8843';
const names = Array.from({ length: 40 }, (_each, number) => `shard-${String(number).padStart(2, '0')}`);

const isOwn = ({ resource }: CollectedSpan): boolean => resource['service.name'] === 'turso-byoc-control-plane';
const below = (spans: readonly CollectedSpan[], { spanId }: CollectedSpan): CollectedSpan[] =>
  spans.filter(({ parentSpanId }) => parentSpanId === spanId);
const named = (spans: readonly CollectedSpan[], name: string): CollectedSpan[] =>
  spans.filter((span) => span.name === name);

/** The spans of a trace once the span of this name has come, and the data nodes' for every call below it. */
async function whole(traceId: string, name: string): Promise<CollectedSpan[]> {
  return collector.trace(traceId, (spans) => {
    const calls = spans.filter((span) => isOwn(span) && span.name.startsWith('data node '));
    const taken = new Set(spans.filter((span) => !isOwn(span) && span.kind === 2).map((span) => span.parentSpanId));
    return named(spans, name).length > 0 && calls.every(({ spanId }) => taken.has(spanId));
  });
}

async function traced(method: string, path: string, body?: unknown): Promise<{ traceId: string; body: any }> {
  const traceId = randomBytes(16).toString('hex');
  const answer = await fetch(`${local.system.apiUrl}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${local.system.token}`,
      traceparent: `00-${traceId}-00000000000000aa-01`,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { traceId, body: await answer.json() };
}

/** Runs a migration to its end; what its trace has. */
async function migrate(statements: string[]): Promise<{ operation: any; spans: CollectedSpan[]; run: CollectedSpan }> {
  const started = await traced('POST', '/v1/groups/fleet/migrations', { statements, max_failure_rate: 1 });
  const { id } = started.body.operation as { id: string };
  const { body } = await eventually(
    async () => local.call('GET', `/v1/groups/fleet/operations/${id}`),
    (answer) => (answer.body['operation'] as { state: string }).state !== 'running',
  );
  const spans = await whole(started.traceId, 'migration run');
  const [run] = named(spans, 'migration run');
  return { operation: body['operation'], spans, run: run! };
}

describe('a pass of the reconciler', () => {
  it('is a trace of its own, with what it found and mended, and the data nodes below', async () => {
    await expect(local.api.databases.create('victim')).rejects.toThrow();
    await local.reported(/the control plane has ended \(signal SIGKILL\)/);
    const mended = (): CollectedSpan | undefined =>
      named(collector.spans, 'reconciler pass').find((span) => span.attributes['turso.reconciler.mended'] === 1);
    await eventually(
      async () => mended(),
      (span) => span !== undefined,
    );
    const pass = mended()!;
    expect(pass).toMatchObject({
      parentSpanId: undefined,
      isError: false,
      attributes: {
        'turso.reconciler.databases': 1,
        'turso.reconciler.mended': 1,
        'turso.reconciler.refused': 0,
        'turso.reconciler.failed': 0,
        'turso.reconciler.groups': 0,
      },
    });
    const spans = await whole(pass.traceId, 'reconciler pass');
    const [database, ...others] = named(below(spans, pass), 'reconcile database');
    expect(others).toEqual([]);
    expect(database?.attributes).toMatchObject({ 'turso.database.state': 'creating' });
    expect(database?.attributes['turso.database.id']).toMatch(/^[0-9a-f-]{36}$/);
    expect(JSON.stringify(treeOf(spans, database?.spanId))).toContain('["POST /admin/v1/databases",[');
    // The catalog in the data node, too.
    expect(JSON.stringify(treeOf(spans, pass.spanId))).toMatch(
      /"catalog read",\[\["data node v3-pipeline",\[\["v3-pipeline"/,
    );
  });
});

describe('bulk work', () => {
  it('has a span for each of some of its databases, and no more', async () => {
    await local.call('POST', '/v1/groups', { name: 'fleet' });
    const { traceId } = await traced('POST', '/v1/groups/fleet/databases', { names });
    const spans = await whole(traceId, 'POST /v1/groups/:group/databases');
    const items = named(spans, 'bulk creation');
    // Every second of 40.
    expect(items).toHaveLength(20);
    expect(items.length).toBeLessThanOrEqual(mostItemSpans);
    for (const item of items) expect(named(below(spans, item), 'database creation')).toHaveLength(1);
    // Nothing of those without a span is in the trace.
    expect(named(spans, 'database creation')).toHaveLength(20);
  });
});

describe('a migration of a fleet', () => {
  it('is in the trace of the call that began it, a span for each database, with the data node below', async () => {
    const { operation, spans, run } = await migrate([
      `CREATE TABLE ${secretTable} (v)`,
      `INSERT INTO ${secretTable} VALUES ('${secretText}')`,
    ]);
    expect(operation).toMatchObject({ state: 'done', succeeded: 40 });
    expect(spans.find(({ spanId }) => spanId === run.parentSpanId)?.name).toBe('POST /v1/groups/:group/migrations');
    expect(run).toMatchObject({
      isError: false,
      attributes: {
        'turso.operation.id': operation.id,
        'turso.operation.databases': 40,
        'turso.operation.succeeded': 40,
        'turso.operation.failed': 0,
        'turso.operation.state': 'done',
      },
    });
    const batches = named(below(spans, run), 'migration batch');
    const databases = batches.flatMap((batch) => named(below(spans, batch), 'migrate database'));
    expect(new Set(databases.map(({ attributes }) => attributes['turso.database.id'])).size).toBe(40);
    for (const database of databases) {
      expect(database).toMatchObject({ isError: false, attributes: { 'turso.migration.outcome': 'applied' } });
      const tree = JSON.stringify(treeOf(spans, database.spanId));
      expect(tree).toMatch(/\["data node v[23]-(protobuf-)?pipeline",\[\["v[23]-pipeline",/);
      expect(tree).toContain('engine execute');
    }
    // The write of each was waited for in a data node.
    expect(named(spans, 'commit wait').length).toBeGreaterThan(0);
  });

  it('shows which databases failed, and why, by a code', async () => {
    const { jwt } = await local.api.databases.createToken(names[7]!);
    await local.open(names[7]!, jwt).execute('CREATE TABLE added (other)');
    const { operation, spans, run } = await migrate(['CREATE TABLE added (v)']);
    expect(operation).toMatchObject({ state: 'done', succeeded: 39, failed: 1 });
    expect(run.attributes['turso.operation.failed']).toBe(1);
    const failed = named(spans, 'migrate database').filter(({ isError }) => isError);
    expect(failed).toHaveLength(1);
    expect(failed[0]?.attributes['error.type']).toMatch(/^[A-Z][A-Z0-9_]+$/);
  });
});

it('hold no SQL, no name, no token', () => {
  const bytes = collector.bytes.join('\n');
  for (const secret of [
    secretTable,
    secretText,
    'shard-0',
    'victim',
    '_turso_byoc_migrations',
    'CREATE TABLE',
    'INSERT',
    'SELECT',
    'eyJ',
    local.system.token.split('.')[2] ?? '',
  ])
    expect([secret, bytes.includes(secret)]).toEqual([secret, false]);
});
