import { isAbsolute, normalize } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { S3StoreOptions } from './s3/s3-store-options.js';

/** Where a store is. */
export type StoreLocation =
  { readonly kind: 'file'; readonly directory: string } | { readonly kind: 's3'; readonly options: S3StoreOptions };

/** The value of a store setting cannot be used; the message says why, and never repeats a credential. */
export class StoreUrlError extends Error {
  override readonly name = 'StoreUrlError';
}

const parameters = ['region', 'endpoint', 'pathStyle', 'kmsKeyId', 'bucketKey', 'expectedBucketOwner'] as const;

/**
 * Reads a store's URL: `file:///directory`, or
 * `s3://bucket/prefix?region=…&endpoint=…&pathStyle=…&kmsKeyId=…&bucketKey=…&expectedBucketOwner=…`.
 *
 * @param defaultPrefix - The key prefix when the URL has no path, so that there always is one.
 * @param defaultEndpoint - Endpoint when the URL names none; undefined = that of AWS.
 */
export function parseStoreUrl(text: string, defaultPrefix: string, defaultEndpoint?: string): StoreLocation {
  let url: URL;
  try {
    url = new URL(text);
  } catch (error) {
    throw new StoreUrlError('it is not a URL; write file:///directory or s3://bucket/prefix', { cause: error });
  }
  if (url.hash !== '') throw new StoreUrlError('it must not contain "#"');
  if (url.username !== '' || url.password !== '') {
    throw new StoreUrlError('credentials do not belong into the URL; give the process a role or environment variables');
  }
  if (url.protocol === 'file:') return fileLocation(url);
  if (url.protocol === 's3:') return s3Location(url, defaultPrefix, defaultEndpoint);
  throw new StoreUrlError(`${JSON.stringify(url.protocol)} is neither file: nor s3:`);
}

/** The location of a local store in `directory`. */
export function fileStore(directory: string): StoreLocation {
  return { kind: 'file', directory };
}

/** One line that names a store to a reader. */
export function describeStore(location: StoreLocation): string {
  if (location.kind === 'file') return pathToFileURL(location.directory).href;
  const { bucket, keyPrefix, endpoint } = location.options;
  return `s3://${bucket}/${keyPrefix}${endpoint === undefined ? '' : ` at ${endpoint}`}`;
}

/** Where a store's objects are, in words that stay the same however its URL is written. */
export function placeOf(location: StoreLocation): string {
  if (location.kind === 'file') return describeStore(location);
  return `s3://${location.options.bucket}/${location.options.keyPrefix}`;
}

function fileLocation(url: URL): StoreLocation {
  if (url.search !== '') throw new StoreUrlError('a file URL has no parameters');
  if (url.host !== '') throw new StoreUrlError('write three slashes: file:///directory');
  const directory = normalize(fileURLToPath(url));
  if (!isAbsolute(directory) || directory === '/') throw new StoreUrlError('it does not name a directory');
  return fileStore(directory.replace(/\/$/, ''));
}

function s3Location(url: URL, defaultPrefix: string, defaultEndpoint: string | undefined): StoreLocation {
  if (url.port !== '') throw new StoreUrlError('a bucket has no port; use the parameter "endpoint"');
  const given = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    if (!(parameters as readonly string[]).includes(name)) {
      throw new StoreUrlError(`${JSON.stringify(name)} is no parameter; there are ${parameters.join(', ')}`);
    }
    if (given.has(name) || value === '')
      throw new StoreUrlError(`the parameter "${name}" must stand once, with a value`);
    given.set(name, value);
  }
  const endpoint = given.get('endpoint') ?? defaultEndpoint;
  if (endpoint !== undefined) checkEndpoint(endpoint);
  const region = given.get('region');
  const pathStyle = flag(given, 'pathStyle');
  const kmsKeyId = given.get('kmsKeyId');
  const bucketKey = flag(given, 'bucketKey');
  if (bucketKey !== undefined && kmsKeyId === undefined) throw new StoreUrlError('"bucketKey" needs "kmsKeyId"');
  const expectedBucketOwner = given.get('expectedBucketOwner');
  const path = url.pathname.replace(/^\//, '').replace(/\/$/, '');
  return {
    kind: 's3',
    options: {
      bucket: url.hostname,
      keyPrefix: path === '' ? defaultPrefix : decodeURIComponent(path),
      ...(region !== undefined && { region }),
      ...(endpoint !== undefined && { endpoint }),
      ...(pathStyle !== undefined && { pathStyle }),
      ...(kmsKeyId !== undefined && { encryption: { kmsKeyId, ...(bucketKey !== undefined && { bucketKey }) } }),
      ...(expectedBucketOwner !== undefined && { expectedBucketOwner }),
    },
  };
}

function flag(given: ReadonlyMap<string, string>, name: string): boolean | undefined {
  const value = given.get(name);
  if (value === undefined) return undefined;
  if (value !== 'true' && value !== 'false') throw new StoreUrlError(`"${name}" must be true or false`);
  return value === 'true';
}

function checkEndpoint(endpoint: string): void {
  const protocol = URL.canParse(endpoint) ? new URL(endpoint).protocol : '';
  if (protocol !== 'https:' && protocol !== 'http:') {
    throw new StoreUrlError(`the endpoint ${JSON.stringify(endpoint)} is not an http or https URL`);
  }
}
