/** `npm run rebuild-catalog`: exits with 1 when catalog and data plane differ, 2 when it could not be done. */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { runCommand, UsageError } from '@turso-byoc/data-plane/node/run-command.js';
import type { DriftReport } from './catalog-drift.js';

const usage = `usage: npm run rebuild-catalog -- [--url <Platform API>] [--dry-run]

Compares the catalog with the manifests and puts databases and groups that the catalog has lost back into it. What differs
otherwise is printed and left alone: nothing is deleted.

--url <url>   the Platform API  [of "npm start" in this directory: read from .turso-byoc/local.json]
--dry-run     changes nothing

The token of an operator is read from TURSO_PLATFORM_TOKEN, or from .turso-byoc/local.json without --url.

Exit status: 0 catalog and data plane agree, 1 they do not (or did not), 2 it could not be done.
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    process.stdout.write(usage);
    return 0;
  }
  const { url, token } = values.url === undefined ? await localAccess() : remoteAccess(values.url);
  const isDry = values['dry-run'];
  const response = await fetch(new URL(isDry ? 'v1/catalog/drift' : 'v1/catalog/rebuild', url), {
    method: isDry ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}` },
  });
  const body = (await response.json()) as DriftReport & { error?: string; code?: string };
  if (!response.ok)
    throw new UsageError(`the Platform API answered ${body.code ?? response.status}: ${body.error ?? ''}`);
  for (const { kind, name, database, detail } of body.drift) {
    process.stdout.write(`${kind}: ${name} (${database}): ${detail}\n`);
  }
  process.stdout.write(
    `${body.manifests} databases on the data plane, ${body.rows} in the catalog, ${body.drift.length} differ, ` +
      `${body.rebuilt} put back\n`,
  );
  return body.drift.length === 0 ? 0 : 1;
}

function remoteAccess(url: string): { readonly url: string; readonly token: string } {
  const token = process.env['TURSO_PLATFORM_TOKEN'];
  if (token === undefined || token === '') throw new UsageError('TURSO_PLATFORM_TOKEN is not set');
  return { url: url.endsWith('/') ? url : `${url}/`, token };
}

async function localAccess(): Promise<{ readonly url: string; readonly token: string }> {
  const directory = process.env['TURSO_BYOC_DATA_DIR'] ?? '.turso-byoc';
  const { apiUrl, token } = JSON.parse(await readFile(`${directory}/local.json`, 'utf8')) as {
    apiUrl: string;
    token: string;
  };
  return { url: `${apiUrl}/`, token };
}

runCommand(main, 2);
