/**
 * What an attacker who has taken over an engine process of a running node can reach: nothing of the node, its stores,
 * its keys, its credentials or of the other engine processes. The intruder is started by the same command line, as the
 * same user and in the same kind of directory, as the engine processes of the node that runs beside it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EngineDirectory } from '../../src/engine/pool/engine-directory.js';
import { Sandbox, type LaunchCommand } from '../../src/engine/pool/sandbox.js';
import type { Protection } from '../../src/engine/pool/sandbox-report.js';
import { DataNode } from '../support/data-node.js';
import { engineProcesses } from '../support/engine-processes.js';

const here = dirname(fileURLToPath(import.meta.url));
const intruder = join(here, '..', 'support', 'node-intruder.js');

interface Findings {
  readonly attempts: Record<string, string>;
  readonly environment: Record<string, string>;
  readonly ownFile: string;
}

describe('an intruder in an engine process of a running node', () => {
  let node: DataNode;
  let sandbox: Sandbox;
  let findings: Findings;
  let command: LaunchCommand;

  const isOn = (protection: Protection): boolean =>
    sandbox.report.protections.find((line) => line.protection === protection)!.on;

  beforeAll(async () => {
    node = await DataNode.start({ TURSO_BYOC_ENGINE_PROCESSES: '2', AWS_CONTAINER_AUTHORIZATION_TOKEN: 'secret' });
    const databases = [];
    for (let index = 0; index < 4; index++) databases.push(await node.createDatabase(`secret-${index}`));
    for (const database of databases) await node.run(database, "CREATE TABLE t AS SELECT 'secret' AS content");

    sandbox = await Sandbox.probe({ cacheDirectory: join(node.directory, 'intruder'), entry: intruder });
    // The user of slot 0, whose own engine process runs beside it; the one of slot 1 is another tenant's.
    const directory = EngineDirectory.create(join(node.directory, 'intruder', 'engine-0'), sandbox.userOf(0));
    const engineDirectories = readdirSync(node.cacheDirectory)
      .filter((name) => name.startsWith('engine-'))
      .sort();
    const [, otherEngine] = engineProcesses(node).sort((one, other) => one - other);
    const otherDirectory = join(
      node.cacheDirectory,
      engineDirectories.find((name) => name.startsWith('engine-1'))!,
    );
    const otherDatabase = readdirSync(otherDirectory).find((name) => name.length > 36)!;
    command = sandbox.command(directory, [
      JSON.stringify({
        nodePid: node.pid,
        otherEnginePid: otherEngine,
        paths: {
          'the store directory': node.storeDirectory,
          'the data store': join(node.storeDirectory, 'data'),
          'the log store': join(node.storeDirectory, 'log'),
          'the control store': join(node.storeDirectory, 'control'),
          'the key directory': node.keyDirectory,
          'the key file': firstFile(node.keyDirectory),
          'the admin credential': node.credentialFile,
          "the other engine's directory": otherDirectory,
          "the other engine's flight record": join(otherDirectory, 'flight-record'),
          "the other engine's database": join(otherDirectory, otherDatabase, 'db'),
        },
        urls: {
          'the admin interface': node.adminUrl,
          'the data interface': node.url,
        },
        own: join(directory.path, 'tmp'),
      }),
    ]);
    const child = spawn(command.program, command.argv, {
      cwd: directory.path,
      env: { ...command.environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    await once(child, 'close');
    findings = JSON.parse(output) as Findings;
  });

  afterAll(async () => node.dispose());

  it('is what the engine processes of the node are: same user, same groups, same restrictions', () => {
    const status = (pid: number): Record<string, string> => {
      const lines = readFileSync(`/proc/${pid}/status`, 'utf8').split('\n');
      return Object.fromEntries(lines.map((line) => line.split(/:\s*/, 2)) as [string, string][]);
    };
    const restrictions = ['Gid', 'Groups', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp'];
    const engines = engineProcesses(node).map(status);
    // Two for databases, and one that stands by.
    expect(engines).toHaveLength(3);
    for (const engine of engines) {
      for (const name of restrictions) {
        if (name === 'Gid') continue;
        expect([name, engine[name]]).toEqual([name, engines[0]![name]]);
      }
      if (isOn('no-new-privileges')) expect(engine['NoNewPrivs']).toBe('1');
      if (isOn('capabilities')) expect(engine['CapEff']).toBe('0000000000000000');
      if (isOn('system-calls')) expect(engine['Seccomp']).toBe('2');
    }
    const user = sandbox.userOf(0);
    if (user) expect(engines.map((engine) => engine['Uid']?.split('\t')[0])).toContain(String(user.uid));
    if (isOn('user')) expect(new Set(engines.map((engine) => engine['Uid'])).size).toBe(3);
  });

  it('finds no secret in its environment', () => {
    expect(Object.keys(findings.environment).filter((name) => !['TZ', 'TMPDIR'].includes(name))).toEqual([]);
    for (const pid of engineProcesses(node)) {
      const names = readFileSync(`/proc/${pid}/environ`, 'utf8')
        .split('\0')
        .filter(Boolean)
        .map((entry) => entry.slice(0, entry.indexOf('=')));
      expect(names.filter((name) => !['TZ', 'TMPDIR'].includes(name))).toEqual([]);
    }
  });

  it('reaches no file, no memory, no environment and no endpoint of the node or of another engine process', () => {
    expect(Object.keys(findings.attempts)).toHaveLength(20);
    if (isOn('user') || isOn('file-system')) {
      const reached = Object.entries(findings.attempts).filter(([, outcome]) => outcome === 'done');
      expect(reached).toEqual([]);
    } else {
      expect(isOn('user')).toBe(false);
    }
  });

  it('can still work in its own directory, so the failures above are refusals', () => {
    expect(findings.ownFile).toBe('done');
  });

  it('the same attempts succeed for the node itself, so they are aimed well', async () => {
    const child = spawn(process.execPath, command.argv.slice(command.argv.indexOf(intruder)), {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    await once(child, 'close');
    const { attempts } = JSON.parse(output) as Findings;
    const failed = Object.entries(attempts).filter(
      ([what, outcome]) => outcome !== 'done' && !what.startsWith('memory'),
    );
    expect(failed).toEqual([]);
  });
});

function firstFile(directory: string): string {
  const file = readdirSync(directory, { recursive: true, withFileTypes: true }).find((entry) => entry.isFile())!;
  return join(file.parentPath, file.name);
}
