import { readFile } from 'node:fs/promises';
import type { RunningLocalSystem } from '@turso-byoc/control-plane/local/start-local.js';
import { environmentOf } from './processes.js';

/** The metrics of the data node, in Prometheus' text format. */
export async function dataNodeMetrics(local: RunningLocalSystem): Promise<string> {
  const { controlPlane = 0 } = local.processes();
  const url = await environmentOf(controlPlane, 'TURSO_BYOC_ADMIN_URL');
  const credential = await environmentOf(controlPlane, 'TURSO_BYOC_ADMIN_CREDENTIAL');
  const file = await environmentOf(controlPlane, 'TURSO_BYOC_ADMIN_CREDENTIAL_FILE');
  const secret = credential ?? (await readFile(file ?? '', 'utf8')).trim();
  const response = await fetch(new URL('/admin/v1/metrics', url), { headers: { authorization: `Bearer ${secret}` } });
  return response.text();
}

/** Requests to the stores so far, by operation and kind of object, as the data node counts them in its metrics. */
export function storeRequests(metrics: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const [, labels = '', count] of metrics.matchAll(/store_requests_total\{(.*?)\} (\d+)/g)) {
    const label = (name: string): string => new RegExp(`${name}="([^"]*)"`).exec(labels)?.[1] ?? '';
    const key = `${label('operation')} ${label('objects')}`;
    counts.set(key, (counts.get(key) ?? 0) + Number(count));
  }
  return counts;
}

/** Bytes that were written to the stores so far, and read from them. */
export function storeBytes(metrics: string): { readonly sent: number; readonly received: number } {
  const bytes = (direction: string): number =>
    Number(new RegExp(`store_bytes_total\\{direction="${direction}"\\} (\\d+)`).exec(metrics)?.[1] ?? 0);
  return { sent: bytes('sent'), received: bytes('received') };
}

/** Requests between two looks, divided by `count`; those that are fewer than one in a thousand are left out. */
export function requestsPer(
  count: number,
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): Record<string, number> {
  const per = [...after].map(([key, now]): [string, number] => [
    key,
    Math.round(((now - (before.get(key) ?? 0)) * 1_000) / count) / 1_000,
  ]);
  return Object.fromEntries<number>(per.filter(([, value]) => value !== 0).sort());
}
