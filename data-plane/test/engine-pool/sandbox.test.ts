import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EngineDirectory } from '../../src/engine/pool/engine-directory.js';
import { Sandbox } from '../../src/engine/pool/sandbox.js';
import { protections, type Protection } from '../../src/engine/pool/sandbox-report.js';

const here = dirname(fileURLToPath(import.meta.url));
const secretName = 'AWS_CONTAINER_AUTHORIZATION_TOKEN';
const ownEnvironment = process.env;

interface Findings extends Record<string, unknown> {
  readonly environment: string[];
}

// Each layer alone must hold, since platforms differ in which of them they allow.
describe.each([
  { case: 'all layers', omit: [] },
  { case: 'users and the network namespace', omit: ['file-system', 'system-calls'] },
  { case: 'users and the seccomp filter', omit: ['file-system', 'network-namespace'] },
  { case: 'Landlock', omit: ['user', 'capabilities', 'network-namespace', 'system-calls'] },
] satisfies { case: string; omit: Protection[] }[])(
  'an engine process under an attacker, held by $case',
  ({ omit }) => {
    let folder: string;
    let cacheDirectory: string;
    let sandbox: Sandbox;
    let server: Server;
    let connections = 0;
    let neighbour: ChildProcess;
    let findings: Findings;

    const isOn = (protection: Protection): boolean =>
      sandbox.report.protections.find((line) => line.protection === protection)!.on;

    /** What the engine process of slot `slot` prints on its standard output. */
    const launch = (slot: number, entryArgument: string): { child: ChildProcess; directory: EngineDirectory } => {
      const directory = EngineDirectory.create(join(cacheDirectory, `engine-${slot}`), sandbox.userOf(slot));
      const { program, argv, environment } = sandbox.command(directory, [entryArgument]);
      const child = spawn(program, argv, {
        cwd: directory.path,
        env: { ...environment },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      return { child, directory };
    };

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'sandbox-'));
      cacheDirectory = join(folder, 'cache');
      if (process.getuid?.() === 0) {
        // As on a node, where nothing above the cache directory is private.
        chmodSync(folder, 0o755);
      }
      process.env = { ...ownEnvironment, [secretName]: 'secret' };
      sandbox = await Sandbox.probe({ cacheDirectory, entry: join(here, 'intruder.js'), omit });

      const keyFile = join(folder, 'key');
      writeFileSync(keyFile, 'key', { mode: 0o600 });
      server = createServer(() => {
        connections += 1;
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');

      // A neighbour that waits until it is killed, with a database of its own.
      const waiting = EngineDirectory.create(join(cacheDirectory, 'engine-1'), sandbox.userOf(1));
      const database = await waiting.createDatabaseDirectory('one');
      writeFileSync(join(database.path, 'db'), 'data of a neighbour');
      await waiting.handOver(database.path);
      const command = sandbox.command(waiting, []);
      const argv = command.argv.slice(0, -1);
      neighbour = spawn(command.program, [...argv, '-e', 'console.log(1); setInterval(() => {}, 1000)'], {
        cwd: waiting.path,
        env: { ...command.environment },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(neighbour.stdout!, 'data');

      const own = join(cacheDirectory, 'engine-0', 'tmp');
      const { child } = launch(
        0,
        JSON.stringify({
          parent: process.pid,
          keyFile,
          neighbour: waiting.path,
          neighbourPid: neighbour.pid,
          port: (server.address() as AddressInfo).port,
          own,
        }),
      );
      let output = '';
      child.stdout!.setEncoding('utf8').on('data', (text: string) => (output += text));
      await once(child, 'close');
      findings = JSON.parse(output) as Findings;
    });

    afterAll(async () => {
      process.env = ownEnvironment;
      if (neighbour.exitCode === null && neighbour.signalCode === null) {
        neighbour.kill('SIGKILL');
        await once(neighbour, 'close');
      }
      server.close();
      rmSync(folder, { recursive: true });
    });

    it('finds no secret in its environment', () => {
      expect(findings.environment).not.toContain(secretName);
      expect(findings.environment.filter((name) => !['TZ', 'TMPDIR', 'SystemRoot'].includes(name))).toEqual([]);
      expect(isOn('environment')).toBe(true);
    });

    it('reaches neither files, memory nor environment of the I/O process or a neighbour', () => {
      const { parentEnvironment, parentMemory, parentFiles, keyFile } = findings;
      const { neighbourDirectory, neighbourFile, neighbourMemory } = findings;
      const attempts = [
        parentEnvironment,
        parentMemory,
        parentFiles,
        keyFile,
        neighbourDirectory,
        neighbourFile,
        neighbourMemory,
      ];
      if (isOn('user') || isOn('file-system')) {
        for (const outcome of attempts) expect(['EACCES', 'EPERM']).toContain(outcome);
      } else {
        expect(isOn('user')).toBe(false);
      }
    });

    it('cannot connect to where the credentials of the I/O process come from', () => {
      if (isOn('network-namespace') || isOn('system-calls') || isOn('file-system')) {
        expect(findings.connection).not.toBe('done');
        expect(connections).toBe(0);
      } else {
        expect(isOn('network-namespace')).toBe(false);
      }
    });

    it('cannot become another user', () => {
      // A process that shares the user root has nothing to become.
      if (process.getuid?.() === 0 && !isOn('user')) expect(sandbox.userOf(0)).toBeUndefined();
      else expect(findings.becomeRoot).not.toBe('done');
    });

    it('cannot signal other processes where users or Landlock separate them', () => {
      if (isOn('user')) expect([findings.parentSignal, findings.neighbourSignal]).toEqual(['EPERM', 'EPERM']);
      else expect(isOn('user')).toBe(false);
    });

    it('cannot start other programs where Landlock or the filter holds', () => {
      if (isOn('file-system') || isOn('system-calls')) expect(['EACCES', 'EPERM']).toContain(findings.shell);
      else expect(isOn('file-system')).toBe(false);
    });

    it('can still work in its own directory', () => {
      expect(findings.ownFile).toBe('done');
      expect(readFileSync(join(cacheDirectory, 'engine-0', 'tmp', 'file'), 'utf8')).toBe('mine');
    });

    it('is reported with one line per protection', () => {
      expect(sandbox.report.protections.map((line) => line.protection)).toEqual([...protections]);
      for (const line of sandbox.report.protections) expect(line.detail).not.toBe('');
    });

    it('leaves no process between the node and itself', () => {
      // The neighbour was started through the whole chain; its process id is that of the first link.
      if (process.platform === 'linux') {
        expect(readFileSync(`/proc/${neighbour.pid!}/cmdline`, 'utf8').split('\0')[0]).toBe(process.execPath);
      } else {
        expect(isOn('user')).toBe(false);
      }
    });
  },
);

describe('Sandbox.probe', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'sandbox-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('stays with its own user where another one could not read the application', async () => {
    // The folder is private to this user, as a home directory is.
    const entry = join(folder, 'entry.mjs');
    writeFileSync(entry, '');
    const sandbox = await Sandbox.probe({ cacheDirectory: join(folder, 'cache'), entry });
    const user = sandbox.report.protections.find((line) => line.protection === 'user')!;
    expect(user.on).toBe(false);
    expect(sandbox.userOf(3)).toBeUndefined();
    if (process.platform === 'linux' && process.getuid?.() === 0) expect(user.detail).toContain('EACCES');
  });

  it('caps private memory when asked to', async () => {
    const entry = join(here, 'intruder.js');
    const sandbox = await Sandbox.probe({ cacheDirectory: join(folder, 'cache'), entry, memoryBytes: 1 << 30 });
    const memory = sandbox.report.protections.find((line) => line.protection === 'memory')!;
    expect(memory.on).toBe(process.platform === 'linux');
  });

  it('gives each slot a user of its own', async () => {
    chmodSync(folder, 0o755);
    const entry = join(here, 'intruder.js');
    const sandbox = await Sandbox.probe({ cacheDirectory: join(folder, 'cache'), entry, baseUid: 70_000 });
    const isOn = sandbox.report.protections.find((line) => line.protection === 'user')!.on;
    expect([sandbox.userOf(0)?.uid, sandbox.userOf(7)?.uid]).toEqual(isOn ? [70_000, 70_007] : [undefined, undefined]);
  });
});
