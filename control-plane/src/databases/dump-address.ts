import { randomBytes } from 'node:crypto';
import { dumpKeyBytes, maxDumpChunks } from '@turso-byoc/data-plane/storage/staged-dump.js';

/** Where a dump is that was uploaded, and what opens it: whoever knows its address may make a database of it. */
export interface DumpAddress {
  readonly id: string;
  readonly chunks: number;
  readonly key: Buffer;
}

const lastPart = /\/databases\/dumps\/([0-9]{13}-[0-9a-f]{32})\.([1-9][0-9]{0,2})\.([A-Za-z0-9_-]{43})$/;

/** An address for a dump that is uploaded now, before it is known how long it is. */
export function newDump(nowMs: number): Pick<DumpAddress, 'id' | 'key'> {
  return {
    id: `${String(nowMs).padStart(13, '0')}-${randomBytes(16).toString('hex')}`,
    key: randomBytes(dumpKeyBytes),
  };
}

/** `origin`: scheme and host of the Platform API, as its client knows it. */
export function dumpUrl({ id, chunks, key }: DumpAddress, origin: string, organization: string): string {
  return `${origin}/v1/organizations/${organization}/databases/dumps/${id}.${chunks}.${key.toString('base64url')}`;
}

/** Reads what `dumpUrl` wrote; undefined for every other address. Nothing is ever fetched from it. */
export function parseDumpUrl(url: string): DumpAddress | undefined {
  const [, id, chunks, key] = lastPart.exec(url) ?? [];
  if (id === undefined || chunks === undefined || key === undefined || Number(chunks) > maxDumpChunks) return undefined;
  return { id, chunks: Number(chunks), key: Buffer.from(key, 'base64url') };
}
