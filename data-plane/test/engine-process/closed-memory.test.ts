/**
 * What a process keeps of databases that were opened and closed. It is memory that the next ones use, so that a process
 * needs what its most databases at one time needed, not what all of its life added up.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const databases = 100;
const rounds = 5;
/** A leaked connection costs 60 kB and more. */
const mostKeptBytes = 20_000;

const program = `
  import { readFileSync } from 'node:fs';
  import { setTimeout as sleep } from 'node:timers/promises';
  const [engine, directory, rounds, databases] = process.argv.slice(1);
  const { loadAdapter } = await import(process.env.ADAPTER);
  const adapter = await loadAdapter(engine);
  const anonymousBytes = () => Number(/^RssAnon:\\s+(\\d+)/mu.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
  const kept = [];
  for (let round = 0; round < Number(rounds); round++) {
    const connections = [];
    for (let index = 0; index < Number(databases); index++) {
      const connection = adapter.open(directory + '/' + round + '.' + index, { maxPages: 1000 });
      connection.prepare('CREATE TABLE t (a)').run([]);
      connection.prepare('INSERT INTO t VALUES (1)').run([]);
      Array.from(connection.prepare('SELECT a FROM t').rows([]));
      connections.push(connection);
    }
    for (const connection of connections.splice(0)) connection.close();
    for (let time = 0; time < 4; time++) {
      gc();
      await sleep(10);
    }
    kept.push(anonymousBytes());
  }
  console.log(JSON.stringify(kept));
`;

const onLinux = process.platform === 'linux' ? it : it.skip;

describe('databases that were opened and closed', () => {
  onLinux.each(['libsql', 'tursodb'])('leave nothing of their own in a process (%s)', (engine) => {
    const directory = mkdtempSync(join(tmpdir(), 'closed-memory-'));
    try {
      const { stdout, stderr } = spawnSync(
        process.execPath,
        ['--expose-gc', '--input-type=module', '-e', program, engine, directory, String(rounds), String(databases)],
        {
          encoding: 'utf8',
          env: { ADAPTER: new URL('../../dist/engine/adapters/load-adapter.js', import.meta.url).href },
        },
      );
      expect(stderr).toBe('');
      const kept = JSON.parse(stdout) as number[];
      const [afterFirst, afterLast] = [kept[1] ?? NaN, kept.at(-1) ?? NaN];
      expect((afterLast - afterFirst) / ((rounds - 2) * databases)).toBeLessThan(mostKeptBytes);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
