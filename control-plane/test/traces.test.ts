/** A real control plane and data node that send traces to a real server: one trace goes through both, and holds no secret. */
import { randomBytes } from 'node:crypto';
import { TraceCollector, treeOf, type CollectedSpan } from '../../data-plane/test/support/trace-collector.js';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';

let collector: TraceCollector;
let local: LocalSystemForTests;

beforeAll(async () => {
  collector = await TraceCollector.start();
  local = await startLocalSystemForTests({
    environment: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_TRACES_SAMPLER_ARG: '0',
      TURSO_BYOC_ENGINE_PROCESSES: '1',
      TURSO_BYOC_STANDBY_PROCESS: '0',
    },
  });
});
afterAll(async () => {
  await local.stop();
  collector.close();
});

const clientSpan = '00000000000000aa';
const secretName = 'name-that-a-client-chose-7719';
const secretText = 'text-in-a-query-2291';

/** A call of the Platform API that is part of a trace of its own. */
async function traced(
  method: string,
  path: string,
  { body, token = local.system.token, flags = '01' }: { body?: unknown; token?: string; flags?: string } = {},
): Promise<{ status: number; traceId: string; requestId: string | null; body: any }> {
  const traceId = randomBytes(16).toString('hex');
  const answer = await fetch(`${local.system.apiUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, traceparent: `00-${traceId}-${clientSpan}-${flags}` },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return {
    status: answer.status,
    traceId,
    requestId: answer.headers.get('x-request-id'),
    body: await answer.json(),
  };
}

const plane = ({ resource }: CollectedSpan): unknown => resource['service.name'];
const isOwn = (span: CollectedSpan): boolean => plane(span) === 'turso-byoc-control-plane';
/** The span of the call itself, which ends last. */
const rootOf = (spans: readonly CollectedSpan[]): CollectedSpan | undefined =>
  spans.find((span) => isOwn(span) && span.kind === 2);

/** The trace once the call and every request of a data node under it have come. */
async function whole(traceId: string): Promise<CollectedSpan[]> {
  return collector.trace(traceId, (spans) => {
    const calls = spans.filter((span) => isOwn(span) && span.name.startsWith('data node '));
    const taken = new Set(spans.filter((span) => !isOwn(span) && span.kind === 2).map((span) => span.parentSpanId));
    return rootOf(spans) !== undefined && calls.every(({ spanId }) => taken.has(spanId));
  });
}

describe('a trace of the control plane', () => {
  it('of a creation goes on in the data node, in its admin interface and in the catalog', async () => {
    const answer = await traced('POST', '/v1/organizations/default/databases', { body: { name: secretName } });
    expect(answer.status).toBe(200);
    const spans = await whole(answer.traceId);
    expect(rootOf(spans)).toMatchObject({
      name: 'POST /v1/organizations/:organization/databases',
      parentSpanId: clientSpan,
      isError: false,
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/v1/organizations/:organization/databases',
        'http.response.status_code': 200,
        'turso.organization': 'default',
        'turso.request.id': answer.requestId,
      },
    });
    const own = treeOf(spans.filter(isOwn), rootOf(spans)?.spanId);
    expect(own.map(([name]) => name)).toEqual(expect.arrayContaining(['catalog write', 'database creation']));
    expect(own).toContainEqual(['database creation', [['data node POST /admin/v1/databases', []]]]);
    expect(own).toContainEqual(['catalog write', [['data node v3-pipeline', []]]]);

    const creation = spans.find((span) => !isOwn(span) && span.name === 'POST /admin/v1/databases');
    const call = spans.find(({ spanId }) => spanId === creation?.parentSpanId);
    expect(call).toMatchObject({ name: 'data node POST /admin/v1/databases', kind: 3 });
    expect(creation?.attributes).toMatchObject({
      'turso.request.id': answer.requestId,
      'http.response.status_code': 200,
    });
    const below = JSON.stringify(treeOf(spans, creation?.spanId));
    for (const part of ['key generate', 'store put']) expect(below).toContain(part);
    const catalog = spans.filter((span) => !isOwn(span) && span.name === 'v3-pipeline');
    expect(JSON.stringify(catalog.map(({ spanId }) => treeOf(spans, spanId)))).toContain('log write');
  });

  it('shows signatures, and what a change writes into the control store', async () => {
    const path = `/v1/organizations/default/databases/${secretName}/auth/tokens`;
    const signed = await traced('POST', path);
    expect(signed.status).toBe(200);
    expect((await whole(signed.traceId)).map(({ name }) => name)).toContain('key sign');

    const rotated = await traced('POST', `/v1/organizations/default/databases/${secretName}/auth/rotate`);
    expect(rotated.status).toBe(200);
    const spans = await whole(rotated.traceId);
    const stored = spans.filter((span) => isOwn(span) && span.name.startsWith('store '));
    expect(stored.map(({ name }) => name)).toContain('store put');
    expect(stored[0]?.attributes['turso.store']).toBe('control');
    expect(JSON.stringify(collector.bytes)).not.toContain(signed.body.jwt);
  });

  it('of a refused call has its code, whatever the path, the query and the token hold', async () => {
    for (const [path, token, expected] of [
      [`/v1/organizations/${secretText}/databases?name=${secretText}`, local.system.token, 404],
      [`/v1/organizations/default/databases/${secretText}`, local.system.token, 404],
      [`/v1/${secretText}?jwt=${secretText}`, local.system.token, 404],
      ['/v1/organizations/default/databases', secretText, 401],
    ] as const) {
      const { status, traceId, requestId } = await traced('GET', path, { token });
      expect(status).toBe(expected);
      const root = rootOf(await whole(traceId));
      expect(root).toMatchObject({ isError: false, attributes: { 'http.response.status_code': expected } });
      expect(root?.attributes['turso.request.id']).toBe(requestId);
      expect(root?.attributes['error.type']).toMatch(/^[A-Z_]+$/);
    }
  });

  it('is not begun for callers that keep none, nor for those that ask whether it is ready', async () => {
    const before = collector.spans.length;
    await traced('GET', '/v1/organizations', { flags: '00' });
    await traced('GET', '/ready');
    const { traceId } = await traced('GET', '/v1/organizations');
    await whole(traceId);
    expect(new Set(collector.spans.slice(before).map((span) => span.traceId))).toEqual(new Set([traceId]));
    // The reconciler looked at the start; nobody asked for that to be traced.
    expect(collector.spans.filter(({ name }) => name.startsWith('reconcile'))).toEqual([]);
  });

  it('holds no token, no name that a client chose, no value of a query, no SQL', () => {
    const bytes = collector.bytes.join('\n');
    for (const secret of [secretName, secretText, local.system.token.split('.')[2] ?? '', 'INSERT', 'SELECT', 'eyJ'])
      expect(bytes.includes(secret)).toBe(false);
  });
});
