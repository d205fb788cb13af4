/** What a started server says of itself, and what Prometheus makes of it. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AlarmRule } from '../../src/metering/alarms/alarm.js';
import { prometheusAlerts, targetPlaceholder } from '../../src/metering/alarms/prometheus-rule.js';

const run = promisify(execFile);

/** One look at a server: its series with their values; `up` is 0 when it did not answer. */
export type Samples = ReadonlyMap<string, number>;

/** Asks as a collector does. */
export async function scrape(ask: () => Promise<Response>): Promise<Samples> {
  const samples = new Map<string, number>();
  try {
    const answer = await ask();
    if (answer.status !== 200) throw new Error(`status ${answer.status}`);
    for (const line of (await answer.text()).split('\n')) {
      const found = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (found) samples.set(`${found[1] ?? ''}{${[found[2], target].filter(Boolean).join(',')}}`, Number(found[3]));
    }
    samples.set(`up{${target}}`, 1);
  } catch {
    samples.set(`up{${target}}`, 0);
  }
  return samples;
}

const target = 'job="tested",instance="one"';

/**
 * Lets Prometheus judge the alarm: while the server is as it was `before`, and while the condition goes on as it was seen
 * between `before` and `after`: counters rise by as much every minute, gauges stay. Throws what promtool says when the alarm
 * is not quiet at first, or does not go off then.
 */
export async function assertFires(promtool: string, rule: AlarmRule, before: Samples, after: Samples): Promise<void> {
  const [alert, ...more] = prometheusAlerts([rule]);
  if (!alert || more.length > 0) throw new Error(`the alarm ${rule.name} is not one alert`);
  const expr = alert.expr.replaceAll(targetPlaceholder, 'job="tested"');
  const metrics = new Set([...expr.matchAll(/\b(turso_byoc_[a-z_]+|up)\{/g)].map(([, name]) => name));
  const within = 'withinMinutes' in rule.condition ? rule.condition.withinMinutes : 1;
  const minutes = 2 * within + rule.forMinutes + 5;
  const names = [...new Set([...before.keys(), ...after.keys()])].filter((series) =>
    metrics.has(series.slice(0, series.indexOf('{'))),
  );
  if (names.length === 0) throw new Error(`no series of ${[...metrics].join(', ')} was seen`);
  const quiet = names.map((series) => ({ series, values: `${before.get(series) ?? '_'}x${minutes}` }));
  const going = names.map((series) => ({
    series,
    values: continued(rule, series, before.get(series), after, minutes),
  }));
  const fires = {
    exp_labels: alert.labels,
    exp_annotations: alert.annotations,
  };
  const test = (series: unknown, expected: readonly unknown[]): unknown => ({
    interval: '1m',
    input_series: series,
    alert_rule_test: [{ eval_time: `${minutes}m`, alertname: alert.alert, exp_alerts: expected }],
  });
  const { plane: _plane, ...promRule } = { ...alert, expr };
  const directory = await mkdtemp(join(tmpdir(), 'turso-byoc-alarm-'));
  try {
    const rules = { groups: [{ name: 'tested', rules: [promRule] }] };
    await writeFile(join(directory, 'rules.json'), JSON.stringify(rules));
    const tests = {
      rule_files: ['rules.json'],
      evaluation_interval: '1m',
      tests: [test(quiet, []), test(going, [fires])],
    };
    await writeFile(join(directory, 'test.json'), JSON.stringify(tests));
    await run(promtool, ['test', 'rules', join(directory, 'test.json')]).catch((error: unknown) => {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      throw new Error(`${rule.name}: ${stdout}${stderr}\n${JSON.stringify(going, undefined, 1)}`);
    });
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** In promtool's notation: `a+bxn` begins with a and rises by b, n times. */
function continued(
  { condition }: AlarmRule,
  series: string,
  first: number | undefined,
  after: Samples,
  minutes: number,
): string {
  const last = after.get(series);
  if (last === undefined) return `_x${minutes}`;
  const isCounter = /^turso_byoc_[a-z_]+_(total|bucket|count|sum)\{/.test(series);
  if (!isCounter) return `${last}x${minutes}`;
  // A series that begins with its first event: nobody sees that one. Of a share the next ones are seen.
  if (first === undefined) return condition.kind === 'share' ? `${last}+${last}x${minutes}` : `${last}x${minutes}`;
  return `${first}+${last - first}x${minutes}`;
}
