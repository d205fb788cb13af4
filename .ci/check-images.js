/**
 * Runs the two images as production does and sees whether they keep what docs/images.md promises.
 *
 *   node check-images.js DATA-NODE-IMAGE CONTROL-PLANE-IMAGE [--write] [--emulated]
 *
 * --emulated: images of another architecture, of which only the start and one database are tried, without time limits.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes, generateKeyPairSync } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { writeImageSizes } from './image-sizes.js';

const [dataImage, controlImage, ...options] = process.argv.slice(2);
const isEmulated = options.includes('--emulated');
const patience = isEmulated ? 20 : 1;
const limits = { startMs: 2_000, dataBytes: 250e6, controlBytes: 200e6 };
const user = 65532;
const name = `turso-check-${process.pid}`;
const directory = mkdtempSync(join(tmpdir(), 'turso-byoc-images-'));
let failures = 0;

function verdict(what, isGood) {
  if (!isGood) failures += 1;
  process.stdout.write(`${isGood ? 'ok    ' : 'FAILED'} ${isEmulated ? '(emulated) ' : ''}${what}\n`);
}

function podman(...argv) {
  return execFileSync('podman', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
}

/** What the chart's containers run with. */
const production = [
  '--detach',
  '--read-only',
  '--read-only-tmpfs=false',
  '--cap-drop=all',
  '--security-opt=no-new-privileges',
  '--memory=2g',
  '--pids-limit=512',
  `--network=${name}`,
];

/** The address of a container on the network of this check. */
function addressOf(container) {
  const format = `{{(index .NetworkSettings.Networks "${name}").IPAddress}}`;
  return podman('inspect', '--format', format, container);
}

/**
 * Starts a container by `begin`; where it is, and how many milliseconds its process took to be ready. What podman itself needs
 * before that is not counted: it is not what a cluster runs containers with.
 */
async function start(begin, container, port) {
  begin();
  const startedAt = Date.now();
  const processStartedAt = Date.parse(
    podman('inspect', '--format', '{{.State.StartedAt.UTC.Format "2006-01-02T15:04:05.000Z07:00"}}', container),
  );
  const url = `http://${addressOf(container)}:${port}`;
  for (;;) {
    const answer = await fetch(`${url}/ready`).catch(() => undefined);
    if (answer?.status === 200) return { url, ms: Date.now() - processStartedAt, cpuMs: cpuMsOf(container) };
    if (Date.now() - startedAt > 60_000 * patience) {
      process.stdout.write(podman('logs', container));
      throw new Error(`${container} does not become ready`);
    }
    await delay(10);
  }
}

/**
 * Starts a container three times; where it is then. Other work of the machine only ever adds to the time, so the best of
 * three counts; and where that is too long because others have the machine, the CPU time that the start took.
 */
async function startAgain(what, container, port) {
  const starts = [];
  for (let attempt = 0; attempt < 3; attempt += 1) {
    podman('stop', '--time', '60', container);
    starts.push(await start(() => podman('start', container), container, port));
  }
  const ms = Math.min(...starts.map((each) => each.ms));
  const cpuMs = Math.min(...starts.map((each) => each.cpuMs));
  verdict(
    `the ${what}, best of three starts: ready after ${ms} ms and ${cpuMs} ms of CPU time (at most ${limits.startMs})`,
    Math.min(ms, cpuMs) < limits.startMs,
  );
  return starts.at(-1).url;
}

/** CPU time of a container's processes so far, in milliseconds. */
function cpuMsOf(container) {
  const pid = podman('inspect', '--format', '{{.State.Pid}}', container);
  const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  // The second version of control groups, or the first one.
  const [, unified] = /^0::(.*)$/m.exec(groups) ?? [];
  const file = `/sys/fs/cgroup${unified}/cpu.stat`;
  if (existsSync(file)) return Math.round(Number(/^usage_usec (\d+)$/m.exec(readFileSync(file, 'utf8'))[1]) / 1000);
  const [, controllers, group] = /^\d+:([^:]*\bcpuacct\b[^:]*):(.*)$/m.exec(groups) ?? [];
  const account = `/sys/fs/cgroup/${controllers}${group}/cpuacct.usage`;
  return existsSync(account) ? Math.round(Number(readFileSync(account, 'utf8')) / 1e6) : Infinity;
}

async function json(method, url, token, body) {
  const answer = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** Runs one statement; its rows, or throws. */
async function run(database, sql) {
  const requests = [{ type: 'execute', stmt: { sql } }, { type: 'close' }];
  const { results } = await json('POST', `${database.url}/v2/pipeline`, database.jwt, { requests });
  if (results[0].type !== 'ok') throw new Error(JSON.stringify(results[0]));
  return results[0].response.result.rows.map((row) => row.map(({ value }) => value));
}

async function newDatabase(apiUrl, token, dataUrl, label, more = {}) {
  const { groups } = await json('GET', `${apiUrl}/v1/groups`, token);
  const group = groups[0]?.name ?? 'default';
  if (groups.length === 0) await json('POST', `${apiUrl}/v1/groups`, token, { name: group });
  await json('POST', `${apiUrl}/v1/databases`, token, { name: label, group, ...more });
  const { jwt } = await json('POST', `${apiUrl}/v1/databases/${label}/auth/tokens`, token);
  return { url: `${dataUrl}/db/${label}-default`, jwt };
}

function platformToken(container) {
  return podman(
    'exec',
    container,
    '/usr/local/bin/node',
    '/app/control-plane/dist/command-line/platform-token-command.js',
    'check',
  );
}

function writeSecrets() {
  const at = join(directory, 'secrets');
  mkdirSync(at);
  writeFileSync(join(at, 'admin-credential'), randomBytes(24).toString('hex'));
  const { privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(join(at, 'signing-key'), privateKey.export({ format: 'pem', type: 'pkcs8' }));
  return at;
}

async function checkRunning() {
  const secrets = writeSecrets();
  for (const store of ['data', 'control']) {
    mkdirSync(join(directory, store));
    chownSync(join(directory, store), user, user);
  }
  const [node, control] = [`${name}-data`, `${name}-control`];
  podman('network', 'create', name);
  try {
    const { url: dataUrl, ms } = await start(
      () =>
        podman(
          ...['run', ...production, '--name', node, `--volume=${secrets}:/run/secrets/turso-byoc:ro`],
          ...[`--volume=${directory}/data:/data`, `--volume=${directory}/control:/control`],
          ...['--env=TURSO_BYOC_STORE_DIR=/data/store', '--env=TURSO_BYOC_KEY_DIR=/data/keys'],
          '--env=TURSO_BYOC_CONTROL_STORE=file:///control/store',
          ...['--env=TURSO_BYOC_ADMIN_CREDENTIAL_FILE=/run/secrets/turso-byoc/admin-credential', dataImage],
        ),
      node,
      8080,
    );
    process.stdout.write(`       the data node, first start: ready after ${ms} ms\n`);
    reportProtections(node);
    const { url: apiUrl, ms: controlMs } = await start(
      () =>
        podman(
          ...['run', ...production, '--name', control, `--volume=${secrets}:/run/secrets/turso-byoc:ro`],
          ...[`--volume=${directory}/control:/control`, `--env=TURSO_BYOC_DATA_URL=${dataUrl}`],
          ...[`--env=TURSO_BYOC_ADMIN_URL=${dataUrl.replace('8080', '8082')}`],
          '--env=TURSO_BYOC_ADMIN_CREDENTIAL_FILE=/run/secrets/turso-byoc/admin-credential',
          '--env=TURSO_BYOC_SIGNING_KEY_FILE=/run/secrets/turso-byoc/signing-key',
          ...['--env=TURSO_BYOC_CONTROL_STORE=file:///control/store', '--env=TURSO_BYOC_HOSTNAME_SUFFIX=localhost'],
          controlImage,
        ),
      control,
      8081,
    );
    process.stdout.write(`       the control plane, which makes its catalog first: ready after ${controlMs} ms\n`);
    const token = platformToken(control);
    const database = await newDatabase(apiUrl, token, dataUrl, 'first');
    await run(database, 'CREATE TABLE t (n INTEGER PRIMARY KEY)');
    const other = await newDatabase(apiUrl, token, dataUrl, 'other', { use_tursodb: true });
    await run(other, 'CREATE TABLE t (n)');
    await run(other, 'INSERT INTO t VALUES (7)');
    verdict('both engines run', (await run(other, 'SELECT n FROM t'))[0][0] === '7');
    if (!isEmulated) {
      await startAgain('control plane', control, 8081);
      await stopUnderLoad(node, database);
    }
    const stopped = performance.now();
    podman('stop', '--time', '30', control);
    const code = podman('inspect', '--format', '{{.State.ExitCode}}', control);
    verdict(`the control plane stops with ${code} in ${Math.round(performance.now() - stopped)} ms`, code === '0');
  } finally {
    spawnSync('podman', ['rm', '--force', '--time', '0', node, control]);
    spawnSync('podman', ['network', 'rm', '--force', name]);
  }
}

/** What is left of the isolation of engine processes without root and without capabilities. */
function reportProtections(container) {
  const line = podman('logs', container)
    .split('\n')
    .find((each) => each.includes('protections of the engine processes'));
  const { protections } = JSON.parse(line).sandbox;
  for (const { protection, on, detail } of protections) {
    process.stdout.write(`       ${on ? 'on ' : 'off'} ${protection}: ${detail}\n`);
  }
  const wanted = ['environment', 'no-new-privileges', 'capabilities', 'system-calls', 'parent-death', 'core-dumps'];
  const off = wanted.filter((each) => !protections.find(({ protection }) => protection === each)?.on);
  // An emulator's system calls are not those that the filter is made for.
  verdict(
    `protections that need no privilege are on${off.length > 0 ? `, but ${off.join(', ')}` : ''}`,
    isEmulated || off.length === 0,
  );
}

/** SIGTERM while clients write: nothing that was acknowledged is lost, the process ends with 0. */
async function stopUnderLoad(node, database) {
  const acknowledged = [];
  const refused = [];
  let isOver = false;
  const writers = Array.from({ length: 8 }, async (_each, writer) => {
    for (let n = writer; !isOver; n += 8) {
      try {
        await run(database, `INSERT INTO t VALUES (${n})`);
        acknowledged.push(n);
      } catch (error) {
        refused.push(String(error.cause?.code ?? error.message).slice(0, 80));
        return;
      }
    }
  });
  await delay(1_000);
  const stoppedAt = performance.now();
  // Beside the writers, which a synchronous call would hold up.
  const stopping = spawn('podman', ['stop', '--time', '60', node], { stdio: 'ignore' });
  await new Promise((resolve) => stopping.once('exit', resolve));
  const ms = Math.round(performance.now() - stoppedAt);
  isOver = true;
  await Promise.all(writers);
  const code = podman('inspect', '--format', '{{.State.ExitCode}}', node);
  verdict(`the data node stops under load with ${code} in ${ms} ms`, code === '0');
  const url = await startAgain('data node', node, 8080);
  const rows = new Set(
    (await run({ ...database, url: database.url.replace(/^.*?(?=\/db)/, url) }, 'SELECT n FROM t')).flat().map(Number),
  );
  const lost = acknowledged.filter((n) => !rows.has(n));
  verdict(
    `${acknowledged.length} acknowledged writes, ${lost.length} lost; ${refused.length} of 8 writers ended with: ${[...new Set(refused)].join(', ') || 'nothing'}`,
    acknowledged.length > 0 && lost.length === 0,
  );
}

/** The chart's local workload, by what of Kubernetes podman plays. */
async function checkChart() {
  const helm = process.env.TURSO_BYOC_TEST_HELM;
  if (!helm || !existsSync(helm)) {
    process.stdout.write('the local workload of the chart: skipped, there is no Helm\n');
    return;
  }
  const { playLocalWorkload } = await import('./play-local-workload.js');
  await playLocalWorkload({
    helm,
    dataImage,
    controlImage,
    directory,
    name,
    podman,
    verdict,
    newDatabase,
    run,
    platformToken,
  });
}

try {
  if (!isEmulated) {
    for (const [what, image, limit] of [
      ['data node', dataImage, limits.dataBytes],
      ['control plane', controlImage, limits.controlBytes],
    ]) {
      const bytes = Number(podman('image', 'inspect', '--format', '{{.Size}}', image));
      verdict(`the image of the ${what} has ${(bytes / 1e6).toFixed(1)} MB (at most ${limit / 1e6})`, bytes <= limit);
    }
    if (options.includes('--write')) writeImageSizes({ dataImage, controlImage, podman });
  }
  await checkRunning();
  if (!isEmulated) await checkChart();
} finally {
  rmSync(directory, { recursive: true, force: true });
}
if (failures > 0) process.exitCode = 1;
