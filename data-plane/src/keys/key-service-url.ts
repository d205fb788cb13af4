import { isAbsolute, normalize } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { kmsKeyIdDefect, regionOfArn, type KmsOptions } from './kms/kms-options.js';

/** Where the key service is. */
export type KeyServiceLocation =
  { readonly kind: 'file'; readonly directory: string } | { readonly kind: 'kms'; readonly options: KmsOptions };

/** The value of the key-service setting cannot be used; the message says why. */
export class KeyServiceUrlError extends Error {
  override readonly name = 'KeyServiceUrlError';
}

const parameters = ['region', 'endpoint'] as const;

/**
 * Reads the URL of a key service: `file:///directory` (the local one), or
 * `kms:<ARN of a key or an alias, alias/<name>, or key id>?region=…&endpoint=…`.
 *
 * @param defaultEndpoint - Endpoint when the URL names none; undefined = that of AWS.
 */
export function parseKeyServiceUrl(text: string, defaultEndpoint?: string): KeyServiceLocation {
  let url: URL;
  try {
    url = new URL(text);
  } catch (error) {
    throw new KeyServiceUrlError('it is not a URL; write kms:<key ARN or alias> or file:///directory', {
      cause: error,
    });
  }
  if (url.hash !== '') throw new KeyServiceUrlError('it must not contain "#"');
  if (url.protocol === 'file:') return fileLocation(url);
  if (url.protocol === 'kms:') return kmsLocation(url, defaultEndpoint);
  throw new KeyServiceUrlError(`${JSON.stringify(url.protocol)} is neither kms: nor file:`);
}

/** One line that names a key service to a reader. */
export function describeKeyService(location: KeyServiceLocation): string {
  if (location.kind === 'file') return pathToFileURL(location.directory).href;
  const { keyId, region, endpoint } = location.options;
  return `kms:${keyId}${region === undefined ? '' : ` in ${region}`}${endpoint === undefined ? '' : ` at ${endpoint}`}`;
}

function fileLocation(url: URL): KeyServiceLocation {
  if (url.search !== '') throw new KeyServiceUrlError('a file URL has no parameters');
  if (url.host !== '') throw new KeyServiceUrlError('write three slashes: file:///directory');
  const directory = normalize(fileURLToPath(url));
  if (!isAbsolute(directory) || directory === '/') throw new KeyServiceUrlError('it does not name a directory');
  return { kind: 'file', directory: directory.replace(/\/$/, '') };
}

function kmsLocation(url: URL, defaultEndpoint: string | undefined): KeyServiceLocation {
  if (url.host !== '') throw new KeyServiceUrlError('write no slashes before the key: kms:<key ARN or alias>');
  const given = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    if (!(parameters as readonly string[]).includes(name)) {
      throw new KeyServiceUrlError(`${JSON.stringify(name)} is no parameter; there are ${parameters.join(', ')}`);
    }
    if (given.has(name) || value === '')
      throw new KeyServiceUrlError(`the parameter "${name}" must stand once, with a value`);
    given.set(name, value);
  }
  const keyId = decodeURIComponent(url.pathname);
  const region = given.get('region') ?? regionOfArn(keyId);
  if (region !== undefined && !/^[a-z0-9-]{1,64}$/.test(region)) {
    throw new KeyServiceUrlError(`${JSON.stringify(region)} is not the name of a region`);
  }
  const defect = kmsKeyIdDefect(keyId, region);
  if (defect !== undefined) throw new KeyServiceUrlError(`the key ${JSON.stringify(keyId)} cannot be used: ${defect}`);
  const endpoint = given.get('endpoint') ?? defaultEndpoint;
  if (endpoint !== undefined) checkEndpoint(endpoint);
  return {
    kind: 'kms',
    options: { keyId, ...(region !== undefined && { region }), ...(endpoint !== undefined && { endpoint }) },
  };
}

function checkEndpoint(endpoint: string): void {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') {
    throw new KeyServiceUrlError(`the endpoint ${JSON.stringify(endpoint)} is not an http or https URL`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new KeyServiceUrlError(
      'credentials do not belong into the URL; give the process a role or environment variables',
    );
  }
}
