/**
 * A whole system under clients that send what is secret where it does not belong, and fail in every way: nothing of it turns
 * up in the logs of either process at their most talkative, in metrics, in traces, or in an answer. What becomes of keys and
 * content in the store and in memory is in data-plane/test/node/canaries.test.ts.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import WebSocket from 'ws';
import { freePort } from '../../data-plane/bench/subjects/free-port.js';
import { Canary } from '../../data-plane/test/support/canaries.js';
import { engineProcesses } from '../../data-plane/test/support/engine-processes.js';
import { TraceCollector } from '../../data-plane/test/support/trace-collector.js';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';

/** In the text of SQL: an answer may quote it, to who sent it. */
const literal = `literal-${randomUUID()}`;
const parameter = `parameter-${randomUUID()}`;
const content = `content-${randomUUID()}`;
const inBody = `body-${randomUUID()}`;
/** As long as a credential is: what is shorter could be a name. */
const opaque = randomBytes(32).toString('hex');
const clientKey = randomBytes(32);
const wrongKey = randomBytes(32);
const forged = [
  Buffer.from(JSON.stringify({ alg: 'EdDSA', typ: 'JWT', kid: 'nobody' })).toString('base64url'),
  Buffer.from(JSON.stringify({ sub: randomUUID(), exp: 4_000_000_000 })).toString('base64url'),
  randomBytes(64).toString('base64url'),
].join('.');
const keyHeader = 'x-turso-encryption-key';

const inSql = Canary.ofText('literal', literal);
const secrets = [
  Canary.ofText('parameter', parameter),
  Canary.ofText('content of an upload', content),
  Canary.ofText('malformed body', inBody),
  Canary.ofText('opaque token', opaque),
  Canary.ofText('forged token', forged),
  new Canary('client key', clientKey),
  new Canary('wrong client key', wrongKey),
];

let collector: TraceCollector;
let local: LocalSystemForTests;
let metricsPort: number;
let credential: string;
let nodeCount = 0;
const answers: string[] = [];

beforeAll(async () => {
  collector = await TraceCollector.start();
  metricsPort = await freePort();
  local = await startLocalSystemForTests({
    environment: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_TRACES_SAMPLER_ARG: '1',
      TURSO_BYOC_LOG_LEVEL: 'trace',
      TURSO_BYOC_METRICS_PORT: String(metricsPort),
      TURSO_BYOC_ENGINE_PROCESSES: '1',
      TURSO_BYOC_STANDBY_PROCESS: '0',
      TURSO_BYOC_STATEMENT_DEADLINE_MS: '1000',
    },
  });
  credential = await readFile(join(local.dataDirectory, 'secrets', 'admin-credential'), 'utf8');
  secrets.push(Canary.ofText('admin credential', credential.trim()), signatureOf('platform token', local.system.token));
}, 60_000);
afterAll(async () => {
  await local.stop();
  collector.close();
});

/** What makes a token a secret. */
function signatureOf(name: string, jwt: string): Canary {
  return Canary.ofText(name, jwt.split('.')[2] ?? jwt);
}

interface Sent {
  readonly method?: string;
  readonly token?: string | null;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
}

/** Sends and keeps the answer; a call that is cut off has none. */
async function send(url: string, { method = 'POST', token = null, headers = {}, body }: Sent = {}): Promise<string> {
  const answer = await fetch(url, {
    method,
    headers: { ...(token !== null && { authorization: `Bearer ${token}` }), ...headers },
    ...(body !== undefined && { body }),
    redirect: 'manual',
  });
  const text = await answer.text();
  answers.push(`${[...answer.headers].join('\n')}\n${text}`);
  return text;
}

/** A request byte by byte, as no client would send it. */
async function sendRaw(base: string, text: string): Promise<void> {
  const { port } = new URL(base);
  await new Promise<void>((resolve) => {
    const socket = connect(Number(port), '127.0.0.1', () => socket.write(text));
    socket.on('data', (data) => answers.push(data.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
    setTimeout(() => socket.destroy(), 300);
  });
}

function pipeline(...statements: (string | object)[]): string {
  const requests = statements.map((stmt) => ({
    type: 'execute',
    stmt: typeof stmt === 'string' ? { sql: stmt } : stmt,
  }));
  return JSON.stringify({ baton: null, requests: [...requests, { type: 'close' }] });
}

interface Served {
  readonly url: string;
  readonly token: string;
}

async function newDatabase(more: object = {}): Promise<Served> {
  const name = `db-${nodeCount++}`;
  const created = await local.call('POST', '/v1/databases', { name, ...more });
  expect([created.status, created.body]).toEqual([200, expect.anything()]);
  const { body } = await local.call('POST', `/v1/databases/${name}/auth/tokens`);
  const token = String(body['jwt']);
  secrets.push(signatureOf(`token of ${name}`, token));
  return { url: `${local.system.dataUrl}/db/${name}-${local.system.organization}/`, token };
}

/** The node's metrics; its admin port is in its log. */
async function metricsOfNode(): Promise<string> {
  const port = /"adminPort":(\d+)/.exec(await logOf('data-node'))?.[1] ?? '';
  const answer = await fetch(`http://127.0.0.1:${port}/admin/v1/metrics`, {
    headers: { authorization: `Bearer ${credential.trim()}` },
  });
  expect(answer.status).toBe(200);
  return answer.text();
}

async function metricsOfControlPlane(): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${metricsPort}/metrics`, {
    headers: { authorization: `Bearer ${credential.trim()}` },
  });
  expect(answer.status).toBe(200);
  return answer.text();
}

async function logOf(process: 'data-node' | 'control-plane'): Promise<string> {
  return readFile(join(local.dataDirectory, 'logs', `${process}.log`), 'utf8');
}

/** Looks through all that was said; `answers` of SQL may hold literals. */
async function assertNothingIsTold(): Promise<void> {
  const places: (readonly [string, string])[] = [
    ['log of the data node', await logOf('data-node')],
    ['log of the control plane', await logOf('control-plane')],
    ['metrics of the data node', await metricsOfNode()],
    ['metrics of the control plane', await metricsOfControlPlane()],
    ['traces', collector.bytes.join('\n')],
  ];
  for (const [place, text] of places) {
    expect([place, text.length > 500]).toEqual([place, true]);
    for (const secret of [...secrets, inSql]) {
      const lines = secret.isIn(text) ? text.split('\n').filter((line) => secret.isIn(line)) : [];
      expect([place, secret.name, lines.slice(0, 2)]).toEqual([place, secret.name, []]);
    }
  }
  for (const answer of answers.splice(0)) {
    for (const secret of secrets) expect([secret.name, secret.isIn(answer) ? answer : '']).toEqual([secret.name, '']);
  }
}

/** Every place of a request that a token could be put in by mistake. */
const misplaced = (secret: string): readonly (readonly [suffix: string, sent: Sent])[] => [
  ['', { token: secret }],
  [`?authToken=${secret}`, {}],
  [`?jwt=${secret}&access_token=${secret}`, { token: 'x' }],
  [`/${secret}`, {}],
  ['', { headers: { authorization: secret } }],
  ['', { headers: { authorization: `Basic ${secret}` } }],
  ['', { headers: { 'x-turso-encryption-key': secret, cookie: `token=${secret}` } }],
  // What has the length of a request id is one, and is meant to be logged.
  [
    '',
    {
      headers: {
        'x-request-id': secret.padEnd(65, '-'),
        traceparent: secret,
        'user-agent': secret,
        referer: `/${secret}`,
      },
    },
  ],
];

describe('what is secret is told nowhere', () => {
  it('when SQL fails, with literals and parameters in it', async () => {
    const { url, token } = await newDatabase();
    const args = [{ type: 'text', value: parameter }];
    await send(`${url}v2/pipeline`, {
      token,
      body: pipeline('CREATE TABLE t (a TEXT UNIQUE, b CHECK (b <> 2))', { sql: 'INSERT INTO t (a) VALUES (?)', args }),
    });
    for (const statement of [
      `SELEC '${literal}'`,
      `SELECT '${literal}' FROM missing`,
      `SELECT * FROM t WHERE a = '${literal}' AND nothing(a)`,
      `SELECT abs('${literal}', 1, 2)`,
      `INSERT INTO t (a, b) VALUES ('${literal}', 2)`,
      `SELECT json('${literal}')`,
      `ATTACH '/tmp/${literal}' AS other`,
      `PRAGMA key = '${literal}'`,
      { sql: 'INSERT INTO t (a) VALUES (?)', args },
      { sql: 'INSERT INTO t (a) VALUES (?)', args: [...args, ...args] },
      { sql: 'SELECT json(?)', args },
      { sql: 'SELECT :name', named_args: [{ name: parameter, value: args[0] }] },
      { sql: 'SELECT ?', args: [{ type: 'integer', value: parameter }] },
      { sql: 'SELECT ?', args: [{ type: parameter, value: parameter }] },
    ]) {
      for (const version of ['v2', 'v3']) await send(`${url}${version}/pipeline`, { token, body: pipeline(statement) });
      const batch = { steps: [{ stmt: typeof statement === 'string' ? { sql: statement } : statement }] };
      await send(`${url}v3/cursor`, { token, body: JSON.stringify({ baton: null, batch }) });
    }
    await assertNothingIsTold();
  });

  it('when an engine process ends with a statement in it', async () => {
    const { url, token } = await newDatabase();
    const endless = `WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*), ?, '${literal}' FROM r`;
    const body = pipeline({ sql: endless, args: [{ type: 'text', value: parameter }] });
    const stopped = await send(`${url}v3/pipeline`, { token, body });
    expect(stopped).toContain('error');
    const running = send(`${url}v3/pipeline`, { token, body });
    await delay(300);
    const { dataNode: pid = 0 } = local.system.processes();
    const engines = engineProcesses({ pid });
    expect(engines.length).toBeGreaterThan(0);
    for (const engine of engines) process.kill(engine, 'SIGKILL');
    await running;
    await assertNothingIsTold();
  });

  it('when tokens, right and wrong ones, are where none belongs', async () => {
    const { url, token } = await newDatabase();
    for (const secret of [forged, opaque, token, local.system.token, credential.trim()]) {
      for (const [suffix, sent] of misplaced(secret)) {
        await send(`${url}v3/pipeline${suffix}`, { ...sent, body: pipeline('SELECT 1') });
        await send(`${local.system.dataUrl}/db/${secret}/v3/pipeline${suffix}`, { ...sent, body: '{}' });
        for (const path of ['/v1/organizations', '/v1/databases', `/v1/databases/${secret}`, `/v1/${secret}`])
          await send(`${local.system.apiUrl}${path}${suffix}`, { method: 'GET', ...sent });
        await send(`${local.system.apiUrl}/v1/auth/bootstrap${suffix}`, {
          ...sent,
          body: JSON.stringify({ name: 'x' }),
        });
      }
      await send(`${url}v3/pipeline`, {
        token,
        body: JSON.stringify({ baton: secret, requests: [{ type: 'close' }] }),
      });
      for (const base of [local.system.dataUrl, local.system.apiUrl]) {
        await sendRaw(base, `GET /${secret} HTTP/1.1\r\nHost: ${secret}\r\n${secret}\r\n\r\n`);
        await sendRaw(base, `${secret} / HTTP/1.1\r\nHost: a\r\n\r\n`);
        await sendRaw(base, `GET /%zz${secret}%00 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${secret}\r\n\r\n`);
      }
      await overWebSocket(url, secret);
    }
    await assertNothingIsTold();
  }, 60_000);

  it('when keys are in headers and bodies, right, wrong and malformed', async () => {
    const key = clientKey.toString('base64');
    const wrong = wrongKey.toString('base64');
    const remote = { encryption_key: key, encryption_cipher: 'aes256gcm' };
    const { url, token } = await newDatabase({ remote_encryption: remote });
    const headers: Record<string, string>[] = [
      { [keyHeader]: key },
      { [keyHeader]: wrong },
      { [keyHeader]: wrong.slice(1) },
      { [keyHeader]: `${wrong}, ${wrong}` },
      { [keyHeader]: key, 'x-turso-encryption-cipher': wrong },
      { [keyHeader]: wrongKey.toString('hex') },
    ];
    for (const each of headers) await send(`${url}v3/pipeline`, { token, headers: each, body: pipeline('SELECT 1') });
    await send(`${url}v3/pipeline?${keyHeader}=${encodeURIComponent(wrong)}`, { token, body: pipeline('SELECT 1') });
    for (const encryption of [
      { encryption_key: wrong, encryption_cipher: wrong },
      { encryption_key: wrong.slice(2), encryption_cipher: 'aes256gcm' },
      { encryption_key: [wrong] },
      { [wrong]: wrong },
      wrong,
    ]) {
      await api('POST', '/v1/databases', { name: 'refused', remote_encryption: encryption });
      await api('POST', '/v1/databases', {
        name: 'refused',
        seed: { type: 'database', name: 'db-0' },
        remote_encryption: encryption,
      });
      await api('POST', '/v1/databases/db-0/encryption', { to: encryption, encryption_key: wrong });
    }
    await assertNothingIsTold();
  });

  it('when bodies are malformed', async () => {
    const { url, token } = await newDatabase();
    for (const body of [
      inBody,
      `{"baton": null, "requests": [${inBody}]}`,
      `{"requests": "${inBody}"}`,
      `{"requests": [{"type": "${inBody}"}]}`,
      `{"requests": [{"type": "execute", "stmt": {"sql": {"${inBody}": 1}}}]}`,
      `{"${inBody}": "${inBody}"}`,
      `"${inBody}"`,
      Buffer.concat([Buffer.from(inBody), Buffer.from([0xff, 0xfe, 0])]),
    ]) {
      for (const version of ['v2/pipeline', 'v3/pipeline', 'v3/cursor', 'v3-protobuf/pipeline'])
        await send(`${url}${version}`, { token, body });
      for (const [method, path] of [
        ['POST', '/v1/databases'],
        ['PATCH', '/v1/databases/db-0/configuration'],
        ['POST', '/v1/groups'],
        ['POST', '/v1/organizations'],
        ['POST', '/v1/auth/api-tokens/scoped'],
        ['POST', '/v1/databases/db-0/auth/tokens'],
        ['PUT', '/v1/limits'],
      ] as const)
        await send(`${local.system.apiUrl}${path}`, { method, token: local.system.token, body });
    }
    await assertNothingIsTold();
  });

  it('when uploads fail', async () => {
    const { url, token } = await newDatabase({ seed: { type: 'database_upload' } });
    const garbage = Buffer.alloc(8_192, content);
    await send(`${url}v1/upload`, { token, body: garbage });
    const halfValid = Buffer.concat([Buffer.from('SQLite format 3\0'), garbage]);
    await send(`${url}v1/upload`, { token, body: halfValid });
    await send(`${url}v2/upload/start`, { method: 'PUT', token, body: content });
    const begun = await send(`${url}v2/upload/start`, {
      method: 'PUT',
      token,
      body: JSON.stringify({ db_size_bytes: garbage.length }),
    });
    const { upload_id: upload } = JSON.parse(begun) as { upload_id: string };
    expect(upload).toEqual(expect.any(String));
    await send(`${url}v2/upload/${upload}/chunk/0`, { method: 'PUT', token, body: garbage });
    await send(`${url}v2/upload/${upload}/finalize`, { method: 'PUT', token });
    const { pathname } = new URL(url);
    await sendRaw(
      local.system.dataUrl,
      `POST ${pathname}v1/upload HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nContent-Length: 99999\r\n\r\n${content}`,
    );
    await assertNothingIsTold();
  });

  it('when a migration of a group fails', async () => {
    const statements = [`INSERT INTO missing VALUES ('${literal}')`];
    await local.call('POST', '/v1/groups/default/migrations', { statements });
    await delay(500);
    await assertNothingIsTold();
  });
});

/** A call of the Platform API whose answer is kept. */
async function api(method: string, path: string, body: unknown): Promise<void> {
  await send(`${local.system.apiUrl}${path}`, { method, token: local.system.token, body: JSON.stringify(body) });
}

/** A greeting with a token that opens nothing, one that is no message, and SQL after it. */
async function overWebSocket(url: string, secret: string): Promise<void> {
  const socket = new WebSocket(url.replace('http', 'ws'), ['hrana3'], {
    headers: { authorization: `Bearer ${secret}` },
  });
  const ended = new Promise<void>((resolve) => {
    socket.on('error', () => resolve());
    socket.on('close', (_code, reason) => {
      answers.push(reason.toString());
      resolve();
    });
  });
  socket.on('message', (data: Buffer) => answers.push(data.toString()));
  socket.on('open', () => {
    socket.send(JSON.stringify({ type: 'hello', jwt: `${secret}x` }));
    socket.send(JSON.stringify({ type: secret }));
    setTimeout(() => socket.close(), 200);
  });
  await ended;
}
