/** Real nodes that send traces to a real server: what is in them, what is not, and what becomes of requests without a collector. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { DatabaseId, NodeEpoch } from '../../src/identity.js';
import { preferredNode } from '../../src/ownership/placement.js';
import { epochOf } from '../cluster/cluster.js';
import { DataNode, sharedLease, type TestDatabase } from '../support/data-node.js';
import { TraceCollector, treeOf, type CollectedSpan } from '../support/trace-collector.js';

const marker = 'a-value-of-a-parameter-8261';
const column = 'column_named_5512';
const key = 'header-secret-7711';

let collector: TraceCollector;
let first: DataNode;
let second: DataNode;
let shop: TestDatabase;
/** Of the request that opened it. */
let opening: SentTrace;

beforeAll(async () => {
  collector = await TraceCollector.start();
  first = await DataNode.start({
    ...sharedLease,
    TURSO_BYOC_ENGINE_PROCESSES: '1',
    TURSO_BYOC_STANDBY_PROCESS: '0',
    TURSO_BYOC_LOG_LEVEL: 'debug',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: `x-collector-key=${key}`,
    OTEL_TRACES_SAMPLER_ARG: '0',
    OTEL_SERVICE_NAME: 'first',
  });
  second = await first.startBeside({ OTEL_SERVICE_NAME: 'second' });
  // Of one that another node is to have it would be rid as soon as it has heard of that node.
  const epochs = [first, second].map((node) => epochOf(node) as string as NodeEpoch);
  for (let n = 0; n === 0 || preferredNode(shop.id as DatabaseId, epochs) !== epochs[0]; n++) {
    shop = await first.createDatabase(`shop${n}`);
  }
  opening = newTrace();
  await first.post(shop, 'v2/pipeline', pipelineOf(`CREATE TABLE t (${column})`), opening.headers);
});
afterAll(async () => {
  await second.end('SIGKILL');
  await first.dispose();
  collector.close();
});

interface SentTrace {
  readonly traceId: string;
  readonly headers: { readonly traceparent: string };
}

function newTrace(flags = '01'): SentTrace {
  const traceId = randomBytes(16).toString('hex');
  return { traceId, headers: { traceparent: `00-${traceId}-00000000000000aa-${flags}` } };
}

function pipelineOf(...statements: (string | { sql: string; args: unknown[] })[]): string {
  const requests = statements.map((stmt) => ({
    type: 'execute',
    stmt: typeof stmt === 'string' ? { sql: stmt } : stmt,
  }));
  return JSON.stringify({ baton: null, requests: [...requests, { type: 'close' }] });
}

const insert = pipelineOf({
  sql: `INSERT INTO t (${column}) VALUES (?)`,
  args: [{ type: 'text', value: marker }],
});

/** The request's own span has come; it is the last one that ends. */
const hasRequest = (spans: readonly CollectedSpan[]): boolean => spans.some(({ kind }) => kind === 2);

function named(spans: readonly CollectedSpan[], name: string): CollectedSpan {
  const span = spans.find((each) => each.name === name);
  if (!span) throw new Error(`there is no ${name} in ${spans.map((each) => each.name).join()}`);
  return span;
}

describe('a trace', () => {
  it('of the first request shows the database being opened', async () => {
    const spans = await collector.trace(opening.traceId, hasRequest);
    const open = named(spans, 'database open');
    expect(open.attributes).toMatchObject({ 'turso.database.id': shop.id, 'turso.store.reads': expect.any(Number) });
    const below = treeOf(spans, open.spanId).map(([name]) => name);
    expect(new Set(below)).toEqual(new Set(['key unwrap', 'store get']));
    expect(named(spans, 'v2-pipeline').resource).toMatchObject({ 'service.name': 'first' });
  });

  it('of a write shows the engine, the wait for the commit, the log object and the store', async () => {
    const { traceId, headers } = newTrace();
    const answer = await first.post(shop, 'v3/pipeline', insert, { ...headers, 'x-request-id': 'request-of-shop' });
    expect(answer.status).toBe(200);
    const spans = await collector.trace(traceId, hasRequest);
    // Now and then a node reads what the control plane publishes.
    const own = spans.filter(({ attributes }) => attributes['turso.store'] !== 'control');
    expect(treeOf(own, '00000000000000aa')).toEqual([
      [
        'v3-pipeline',
        [
          ['commit wait', [['log write', [['store put', []]]]]],
          ['engine execute', []],
        ],
      ],
    ]);
    const request = named(spans, 'v3-pipeline');
    expect(request.attributes).toEqual({
      'turso.request.kind': 'v3-pipeline',
      'turso.request.id': 'request-of-shop',
      'turso.request.forwarded': false,
      'turso.database.id': shop.id,
      'http.response.status_code': 200,
    });
    expect(request).toMatchObject({ kind: 2, isError: false });
    expect(named(spans, 'store put')).toMatchObject({
      kind: 3,
      attributes: {
        'turso.store': 'log',
        'turso.store.objects': 'log',
        'turso.store.outcome': 'ok',
        'turso.store.sent_bytes': named(spans, 'log write').attributes['turso.log.bytes'],
      },
    });
    for (const span of spans) {
      expect(span.endMs).toBeGreaterThanOrEqual(span.startMs);
      expect(Math.abs(span.startMs - Date.now())).toBeLessThan(60_000);
    }
    expect(named(spans, 'engine execute').startMs).toBeGreaterThanOrEqual(request.startMs);
    expect(named(spans, 'commit wait').endMs).toBeLessThanOrEqual(request.endMs);
  });

  it('goes on in the node that a request is passed on to', async () => {
    const { traceId, headers } = newTrace();
    const answer = await second.post(second.here(shop), 'v3/pipeline', insert, headers);
    expect(answer.status).toBe(200);
    const spans = await collector.trace(traceId, (all) => all.filter(({ kind }) => kind === 2).length === 2);
    const passedOn = named(spans, 'forward');
    const [there, here] = ['second', 'first'].map((name) =>
      spans.find(({ kind, resource }) => kind === 2 && resource['service.name'] === name),
    );
    expect(there).toMatchObject({ parentSpanId: '00000000000000aa', spanId: passedOn.parentSpanId });
    expect(here).toMatchObject({
      parentSpanId: passedOn.spanId,
      attributes: { 'turso.request.forwarded': true, 'turso.database.id': shop.id },
    });
    const below = treeOf(spans, here?.spanId).map(([name]) => name);
    expect(below).toEqual(expect.arrayContaining(['commit wait', 'engine execute']));
  });

  it('of a failed request names the error, and its id is in the log of every node that it passed', async () => {
    const { traceId, headers } = newTrace();
    const requestId = 'request-that-fails';
    const unknown = { ...second.here(shop), token: `${shop.token}x` };
    const refused = await second.post(unknown, 'v3/pipeline', insert, { ...headers, 'x-request-id': requestId });
    expect(refused.status).toBe(401);
    const request = named(await collector.trace(traceId, hasRequest), 'v3-pipeline');
    expect(request.attributes).toMatchObject({
      'turso.request.id': requestId,
      'error.type': expect.stringMatching(/^AUTH_/),
      'http.response.status_code': 401,
    });
    expect(request.isError).toBe(false);
    expect(lines(second, requestId)).toEqual([expect.objectContaining({ msg: 'request refused', traceId })]);

    const passedOn = newTrace();
    const readOnly = { ...second.here(shop), headers: { 'x-turso-encryption-key': 'no key at all' } };
    const failed = await second.post(readOnly, 'v3/pipeline', insert, {
      ...passedOn.headers,
      'x-request-id': `${requestId}-there`,
    });
    expect(failed.status).toBeGreaterThanOrEqual(400);
    await collector.trace(passedOn.traceId, (all) => all.filter(({ kind }) => kind === 2).length === 2);
    for (const [node, msg] of [
      [second, 'a request that was passed on was refused'],
      [first, 'request refused'],
    ] as const) {
      const line = { msg, traceId: passedOn.traceId, status: failed.status, code: expect.any(String) };
      expect(lines(node, `${requestId}-there`)).toEqual([expect.objectContaining(line)]);
    }
  });

  it('is not begun by a header that is none, nor by one whose sender does not keep the trace', async () => {
    const before = collector.spans.length;
    const span = '00000000000000aa';
    for (const traceparent of [
      undefined,
      'hello',
      `00-${'0'.repeat(32)}-${span}-01`,
      `00-${'a'.repeat(32)}-0000000000000000-01`,
      `ff-${'b'.repeat(32)}-${span}-01`,
      `00-${'C'.repeat(32)}-${span}-01`,
      `00-${'d'.repeat(32)}-${span}-01-more`,
      `01-${'e'.repeat(32)}-${span}-01-${'x'.repeat(4_000)}`,
      newTrace('00').headers.traceparent,
    ]) {
      const headers = traceparent === undefined ? undefined : { traceparent };
      expect((await first.post(shop, 'v3/pipeline', insert, headers)).status).toBe(200);
    }
    // What comes after them has come, so they did not.
    const next = newTrace();
    await first.post(shop, 'v3/pipeline', insert, next.headers);
    await collector.trace(next.traceId, hasRequest);
    expect(new Set(collector.spans.slice(before).map(({ traceId }) => traceId))).toEqual(new Set([next.traceId]));
  });

  it('holds no SQL, no parameter, no token, no name', async () => {
    const { traceId, headers } = newTrace();
    // What is not simple on the wire takes another way.
    await first.post(shop, 'v3/pipeline?a=b', insert, headers);
    await collector.trace(traceId, hasRequest);
    const bytes = collector.bytes.join('\n');
    expect(bytes).toContain(traceId);
    for (const secret of [
      marker,
      column,
      'INSERT',
      'CREATE',
      shop.token,
      shop.token.split('.')[2],
      '/db/',
      `${shop.name}-test`,
    ])
      expect(bytes).not.toContain(secret);
    // Its own credential goes to the collector, and into no log.
    expect(bytes).toContain(key);
    for (const node of [first, second]) expect(node.logLines.join('\n')).not.toContain(key);
  });
});

describe('a collector', () => {
  it.each(['refuse', 'hang'] as const)('in the mode "%s" changes nothing', async (mode) => {
    collector.mode = mode;
    try {
      const { headers } = newTrace();
      expect((await first.post(shop, 'v3/pipeline', insert, headers)).status).toBe(200);
      const failed = async (): Promise<boolean> => (await first.counted('trace_spans_total', 'failed')) > 0;
      if (mode === 'refuse') while (!(await failed())) await delay(50);
      else while (!collector.bytes.at(-1)?.includes(headers.traceparent.slice(3, 35))) await delay(50);
      const answers = await Promise.all(
        Array.from({ length: 50 }, async () => first.post(shop, 'v3/pipeline', insert, newTrace().headers)),
      );
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    } finally {
      collector.mode = 'take';
    }
  });

  it('that is gone does not keep a node from stopping, and gets what is left otherwise', async () => {
    const { traceId, headers } = newTrace();
    expect((await second.post(second.here(shop), 'v3/pipeline', insert, headers)).status).toBe(200);
    await second.end('SIGTERM');
    expect(collector.spans.some((span) => span.traceId === traceId && span.resource['service.name'] === 'second')).toBe(
      true,
    );
    collector.close();
    expect((await first.post(shop, 'v3/pipeline', insert, newTrace().headers)).status).toBe(200);
    const startedMs = performance.now();
    await first.end('SIGTERM');
    expect(await first.exit()).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedMs).toBeLessThan(8_000);
  });
});

/** Lines of a node's log that carry a request id. */
function lines(node: DataNode, requestId: string): Record<string, unknown>[] {
  return node.logLines
    .filter((line) => line.includes(`"requestId":"${requestId}"`))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('without a collector no library of traces is loaded, and no header of a client makes a difference', async () => {
  const script = `
    import { createRequire } from 'node:module';
    const settings = (await import(${JSON.stringify(import.meta.resolve('@turso-byoc/data-plane/node/settings.js'))})).nodeSettings;
    await import(${JSON.stringify(import.meta.resolve('@turso-byoc/data-plane/node/start-node.js'))});
    const { openTracing } = await import(${JSON.stringify(import.meta.resolve('@turso-byoc/data-plane/tracing/open-tracing.js'))});
    const libraries = () => Object.keys(createRequire(import.meta.url).cache)
      .flatMap((path) => /@opentelemetry.(sdk-trace|exporter[^/]*|otlp[^/]*|resources)/.exec(path)?.[1] ?? []);
    const environment = { ...process.env, TURSO_BYOC_STORE_DIR: '/s', TURSO_BYOC_KEY_DIR: '/k', TURSO_BYOC_CACHE_DIR: '/c', TURSO_BYOC_ADMIN_CREDENTIAL: 'c' };
    const off = await openTracing(settings(environment).tracing, {}, {});
    const before = libraries().length;
    const on = settings({ ...environment, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' }).tracing;
    await openTracing(on, {}, { resource: {} });
    console.log(JSON.stringify({ off: off === undefined, before, after: libraries().length > 0, on }));
    process.exit(0);
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  expect(JSON.parse(stdout)).toEqual({
    off: true,
    before: 0,
    after: true,
    on: { url: 'http://127.0.0.1:1/v1/traces', share: 0.01 },
  });

  const node = await DataNode.start({ TURSO_BYOC_ENGINE_PROCESSES: '1', TURSO_BYOC_STANDBY_PROCESS: '0' });
  try {
    const database = await node.createDatabase('quiet');
    const answer = await fetch(`${database.url}v3/pipeline`, {
      method: 'POST',
      headers: { authorization: `Bearer ${database.token}`, ...newTrace().headers },
      body: pipelineOf('SELECT 1'),
    });
    expect(answer.status).toBe(200);
    expect([...answer.headers.keys()].filter((name) => name.startsWith('trace'))).toEqual([]);
    expect(await node.counted('trace_spans_total')).toBe(0);
  } finally {
    await node.dispose();
  }
});
