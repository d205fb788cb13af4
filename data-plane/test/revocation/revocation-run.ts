/**
 * Many open databases on a few keys of a running node; all keys but one are taken away at random moments, and given back.
 * Measured from outside: when the node gave a database up (its log), when its files were gone (the disk), when it answered
 * again (a client).
 */
import { readdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { createKey, setKeyState } from '@turso-byoc/data-plane/keys/local-key-service.js';
import { percentile } from '../cluster/statistics.js';
import { seededRandom } from '../seeded-random.js';
import { DataNode, StatementError, type TestDatabase } from '../support/data-node.js';

export interface RevocationOptions {
  readonly seed: number;
  readonly databases: number;
  readonly keys: number;
  readonly probeMs: number;
  readonly onProgress: (line: string) => void;
}

export interface RevocationResult {
  readonly open: number;
  /** Requests to the key service per hour and key while all databases were open. */
  readonly requestsPerKeyAndHour: number;
  readonly revoked: number;
  /** From the change of a key's state, milliseconds. */
  readonly givenUpMs: Summary;
  readonly filesGoneMs: Summary;
  readonly backMs: Summary;
  readonly failures: readonly string[];
}

export interface Summary {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const parallel = 16;
const hourMs = 3_600_000;

interface Subject {
  readonly database: TestDatabase;
  readonly key: string;
}

export async function revocationRun(options: RevocationOptions): Promise<RevocationResult> {
  const { seed, databases, keys, probeMs, onProgress } = options;
  const random = seededRandom(seed);
  const node = await DataNode.start({
    TURSO_BYOC_KEY_PROBE_MS: String(probeMs),
    TURSO_BYOC_IDLE_CLOSE_MS: String(hourMs),
    TURSO_BYOC_MAX_OPEN_DATABASES: String(databases + 1),
  });
  try {
    const keyIds = Array.from({ length: keys }, (_, n) => `key-${n}`);
    for (const id of keyIds) await createKey(node.keyDirectory, id, Date.now());
    const subjects: Subject[] = [];
    await inParallel(
      Array.from({ length: databases }, (_, n) => n),
      async (n) => {
        const key = keyIds[n % keys] as string;
        const database = await node.createDatabase(`db-${n}`, 'libsql', { keyId: key });
        await node.run(database, 'CREATE TABLE t (a)', 'INSERT INTO t VALUES (1)');
        subjects.push({ database, key });
      },
    );
    const open = await node.counted('open_databases');
    onProgress(`${open} databases are open on ${keys} keys`);

    const requests = async (): Promise<number> => node.counted('key_requests_total');
    const [before, startedMs] = [await requests(), Date.now()];
    await delay(2.2 * probeMs);
    const perHour = (((await requests()) - before) * hourMs) / (Date.now() - startedMs);
    onProgress(`${perHour.toFixed(0)} requests an hour to the key service`);

    const [kept, ...revoked] = keyIds as [string, ...string[]];
    const failures: string[] = [];
    const affected = subjects.filter(({ key }) => key !== kept);
    const revokedAtMs = new Map<string, number>();
    const revoking = Promise.all(
      revoked.map(async (key) => {
        await delay(random.below(probeMs));
        revokedAtMs.set(key, Date.now());
        await setKeyState(node.keyDirectory, key, random.below(2) === 0 ? 'disabled' : 'pending-deletion');
      }),
    );
    const gone = await untilFilesAreGone(node, affected, 4 * probeMs + 60_000);
    await revoking;
    const sinceRevocation = ({ key }: Subject, atMs: number): number => atMs - (revokedAtMs.get(key) ?? atMs);
    const givenUp = givenUpTimes(node);
    for (const subject of affected) {
      if (!givenUp.has(subject.database.id)) failures.push(`${subject.database.name} was not given up`);
      if (!gone.has(subject.database.id)) failures.push(`files of ${subject.database.name} were left`);
    }
    const left = await node.counted('open_databases');
    if (left !== subjects.length - affected.length) failures.push(`${left} databases are open, not those of ${kept}`);
    onProgress(`${revoked.length} keys were revoked, ${left} databases are left open`);

    await inParallel(subjects, async (subject) => {
      const expected = subject.key === kept ? 'answers' : 'KEY_REVOKED';
      const met = await meet(node, subject);
      if (met !== expected) failures.push(`${subject.database.name} meets ${met}, not ${expected}`);
    });

    const enabledAtMs = Date.now();
    for (const key of revoked) await setKeyState(node.keyDirectory, key, 'enabled');
    const back: number[] = [];
    await inParallel(affected, async (subject) => {
      while ((await meet(node, subject)) !== 'answers') {
        if (Date.now() - enabledAtMs > 120_000) {
          failures.push(`${subject.database.name} did not come back`);
          return;
        }
        await delay(100);
      }
      back.push(Date.now() - enabledAtMs);
    });
    return {
      open,
      requestsPerKeyAndHour: perHour / keys,
      revoked: affected.length,
      givenUpMs: summary(affected, (subject) => sinceRevocation(subject, givenUp.get(subject.database.id) ?? Infinity)),
      filesGoneMs: summary(affected, (subject) => sinceRevocation(subject, gone.get(subject.database.id) ?? Infinity)),
      backMs: summary(back, (ms) => ms),
      failures,
    };
  } finally {
    await node.dispose();
  }
}

/** When each database had no file left below the cache directory. */
async function untilFilesAreGone(
  node: DataNode,
  subjects: readonly Subject[],
  timeoutMs: number,
): Promise<Map<string, number>> {
  const gone = new Map<string, number>();
  for (const untilMs = Date.now() + timeoutMs; gone.size < subjects.length && Date.now() < untilMs;) {
    const names = (await readdir(node.cacheDirectory, { recursive: true })).join('\n');
    for (const { database } of subjects) {
      if (!gone.has(database.id) && !names.includes(database.id)) gone.set(database.id, Date.now());
    }
    await delay(100);
  }
  return gone;
}

/** When the node says that it gave each database up: at that moment its data keys are overwritten. */
function givenUpTimes(node: DataNode): Map<string, number> {
  const lines = node.logLines.filter((line) => line.includes('database given up') && line.includes('KEY_REVOKED'));
  return new Map(
    lines.map((line) => {
      const { database, time } = JSON.parse(line) as { database: string; time: number };
      return [database, time];
    }),
  );
}

async function meet(node: DataNode, { database }: Subject): Promise<string> {
  return node.run(database, 'SELECT count(*) FROM t').then(
    ([row]) => (row?.[0] === '1' ? 'answers' : `${String(row?.[0])} rows`),
    (error: unknown) => (error instanceof StatementError ? error.code : String(error)),
  );
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await work(next);
    }),
  );
}

function summary<T>(items: readonly T[], valueOf: (item: T) => number): Summary {
  const values = items.map(valueOf);
  return { p50: percentile(values, 0.5), p99: percentile(values, 0.99), max: percentile(values, 1) };
}
