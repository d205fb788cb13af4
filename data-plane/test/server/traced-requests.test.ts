/** Every way in which a request comes to a data server, with a library that keeps spans in a list. */
import { systemRuntime } from '../../src/runtime.js';
import { ByocError } from '../../src/errors/catalogue.js';
import type { SpanAttributes } from '../../src/tracing/trace-span.js';
import { Tracing, type SpanLibrary } from '../../src/tracing/tracing.js';
import { startDataServer, type RunningDataServer } from '../support/data-server-fixture.js';
import { HranaSocket } from '../support/hrana-socket.js';

interface KeptSpan {
  readonly name: string;
  readonly attributes: Record<string, unknown>;
  failure?: string;
  isOver: boolean;
}

const kept: KeptSpan[] = [];
const library: SpanLibrary = {
  begin: (name, _role, _startMs, parent, attributes) => {
    const span: KeptSpan = { name, attributes: { ...attributes }, isOver: false };
    kept.push(span);
    return {
      id: { traceId: parent?.traceId ?? '1'.repeat(32), spanId: '2'.repeat(16), isSampled: true },
      set: (more: SpanAttributes) => void Object.assign(span.attributes, more),
      fail: (failure) => void (span.failure = failure),
      end: () => void (span.isOver = true),
    };
  },
  flush: async () => undefined,
};

let server: RunningDataServer;
let headers: { authorization: string };
beforeAll(async () => {
  server = await startDataServer({ tracing: new Tracing(systemRuntime, library, 1) });
  headers = { authorization: `Bearer ${await server.token()}` };
});
beforeEach(() => {
  kept.length = 0;
});
afterAll(async () => server.app.close());

async function send(method: string, path: string, more: Record<string, string> = {}): Promise<number> {
  const body = method === 'GET' ? {} : { body: '{}' };
  const answer = await fetch(server.url + path, { method, headers: { ...headers, ...more }, ...body });
  await answer.arrayBuffer();
  // The span ends when the server has heard that the answer has left.
  for (let turn = 0; turn < 100 && kept.some(({ isOver }) => !isOver); turn++) await systemRuntime.sleep(5);
  return answer.status;
}

it.each([
  ['simple on the wire', 'POST', '/db/shop-acme/v2/pipeline', 'v2-pipeline'],
  ['with a query', 'POST', '/db/shop-acme/v3/pipeline?a=b', 'v3-pipeline'],
  ['a dump', 'GET', '/db/shop-acme/dump', 'dump'],
  ['for a file', 'GET', '/db/shop-acme/info', 'replica-info'],
])('a request %s has one span', async (_what, method, path, name) => {
  expect(await send(method, path, { 'x-request-id': 'as-the-client-calls-it' })).toBe(200);
  expect(kept).toEqual([
    {
      name,
      isOver: true,
      attributes: {
        'turso.request.kind': name,
        'turso.request.id': 'as-the-client-calls-it',
        'turso.request.forwarded': false,
        'turso.database.id': '11111111-1111-4111-8111-111111111111',
        'http.response.status_code': 200,
      },
    },
  ]);
});

it.each([
  ['/db/shop-acme/v2/pipeline', 'OVERLOADED', 503],
  ['/db/shop-acme/v2/pipeline?a=b', 'OVERLOADED', 503],
  ['/db/shop-acme/v2/pipeline', 'BLOCKED', 403],
  ['/db/shop-acme/v2/pipeline?a=b', 'BLOCKED', 403],
] as const)(
  'of what is refused at %s with %s it has code and id, and failed if the service is to blame',
  async (path, code, status) => {
    const { run } = server.databases;
    server.databases.run = async () => {
      throw new ByocError(code, 'no');
    };
    try {
      expect(await send('POST', path)).toBe(status);
    } finally {
      server.databases.run = run;
    }
    const [span] = kept;
    expect(span?.failure).toBe(status >= 500 ? code : undefined);
    expect(span?.attributes['error.type']).toBe(status >= 500 ? undefined : code);
    expect(span?.attributes['http.response.status_code']).toBe(status);
    const line = server.logLines.find(({ requestId }) => requestId === span?.attributes['turso.request.id']);
    expect(line).toMatchObject({ code, traceId: '1'.repeat(32) });
  },
);

it('a request of a WebSocket has a span of its own', async () => {
  server.databases.run = async () => ({
    status: 200,
    body: Buffer.from(JSON.stringify({ baton: null, results: [{ type: 'ok', response: { type: 'sequence' } }] })),
  });
  const socket = await HranaSocket.connect(`${server.url}/db/shop-acme/`);
  socket.send({ type: 'hello', jwt: headers.authorization.slice('Bearer '.length) });
  socket.send({ type: 'request', request_id: 1, request: { type: 'open_stream', stream_id: 1 } });
  socket.send({ type: 'request', request_id: 2, request: { type: 'sequence', stream_id: 1, sql: 'SELECT 1' } });
  await socket.next(({ request_id }) => request_id === 2);
  socket.webSocket.close();
  expect(kept).toEqual([expect.objectContaining({ name: 'v3-pipeline', isOver: true })]);
});
