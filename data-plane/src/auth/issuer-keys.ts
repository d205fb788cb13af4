/**
 * Keys of issuers outside the deployment: JSON Web Key Sets, fetched where the operator lets them be.
 *
 * What is fetched was named by an administrator of an organization, who must not make a node talk to whatever it can reach: so
 * only origins of `TURSO_BYOC_JWKS_ORIGINS` are asked, over TLS unless that list says otherwise, without following redirects,
 * never at an address that belongs to this machine or its metadata service (except where the list names that address itself), within a
 * time and a size.
 */
import { lookup } from 'node:dns';
import { request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { importJWK, type CryptoKey, type JWK } from 'jose';
import type { Logger } from 'pino';
import { ByocError } from '../errors/catalogue.js';
import type { Runtime } from '../runtime.js';
import { plainAddress } from './client-origin.js';

/** What a token of an outside issuer may be signed with: nothing that needs a shared secret. */
export const issuerAlgorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA'],
] as const;

const fetchTimeoutMs = 5_000;
const maxBytes = 256 * 1024;
const maxKeys = 100;
/** A set is fetched again after this long; a key that left it opens nothing any more then. */
const freshMs = 300_000;
/** For how long the last set is used while its issuer does not answer: an outage is no revocation. */
const staleMs = 1_800_000;
/** Least time between two fetches of one set: tokens with unknown keys cost no more. */
const fetchIntervalMs = 10_000;
const mostSets = 1_000;

export interface IssuerKeysOptions {
  /** Origins, such as `https://id.example.com`. */
  readonly allowedOrigins: readonly string[];
  readonly runtime: Pick<Runtime, 'monotonicMs'>;
  readonly log: Logger;
}

export type IssuerKey = CryptoKey | Uint8Array;

interface KnownSet {
  /** By key id. */
  readonly keys: ReadonlyMap<string, JWK>;
  readonly fetchedAtMs: number;
}

interface Source {
  set: KnownSet | undefined;
  startedAtMs: number;
  fetching: Promise<void> | undefined;
  failure: unknown;
}

export class IssuerKeys {
  readonly #options: IssuerKeysOptions;
  readonly #origins: ReadonlySet<string>;
  readonly #sources = new Map<string, Source>();

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
    this.#origins = new Set(options.allowedOrigins);
  }

  /**
   * The key of a set for this id and algorithm; undefined when the set has none. Throws `AUTH_KEYS_UNAVAILABLE` when the set
   * may not be fetched, or cannot be and is not known.
   */
  async find(url: string, kid: string, algorithm: string): Promise<IssuerKey | undefined> {
    const jwk = await this.#lookUp(url, kid);
    if (jwk === undefined) return undefined;
    if (jwk.alg !== undefined && jwk.alg !== algorithm) return undefined;
    try {
      return await importJWK(jwk, algorithm);
    } catch {
      // A key of another kind than the algorithm asks for.
      return undefined;
    }
  }

  async #lookUp(url: string, kid: string): Promise<JWK | undefined> {
    const source = this.#sourceOf(url);
    const { runtime } = this.#options;
    const ageMs = (fromMs: number): number => runtime.monotonicMs() - fromMs;
    const isFresh = (): boolean => source.set !== undefined && ageMs(source.set.fetchedAtMs) < freshMs;
    const mayStart = (): boolean => ageMs(source.startedAtMs) >= fetchIntervalMs;
    if (!isFresh() || (source.set?.keys.has(kid) === false && mayStart())) {
      if (source.fetching !== undefined || mayStart()) await this.#fetch(url, source);
    }
    const { set } = source;
    if (set === undefined || ageMs(set.fetchedAtMs) >= staleMs) {
      throw new ByocError('AUTH_KEYS_UNAVAILABLE', 'the keys of the issuer of this token cannot be fetched', {
        cause: source.failure,
      });
    }
    return set.keys.get(kid);
  }

  #sourceOf(url: string): Source {
    let origin: string | undefined;
    try {
      origin = new URL(url).origin;
    } catch {
      origin = undefined;
    }
    if (origin === undefined || !this.#origins.has(origin)) {
      throw new ByocError('AUTH_KEYS_UNAVAILABLE', 'this node may not fetch the keys of the issuer of this token');
    }
    let source = this.#sources.get(url);
    if (source !== undefined) this.#sources.delete(url);
    else if (this.#sources.size >= mostSets) {
      const [oldest] = this.#sources.keys();
      if (oldest !== undefined) this.#sources.delete(oldest);
    }
    source ??= { set: undefined, startedAtMs: -Infinity, fetching: undefined, failure: undefined };
    this.#sources.set(url, source);
    return source;
  }

  /** Never rejects; requests that come meanwhile share it. */
  async #fetch(url: string, source: Source): Promise<void> {
    source.fetching ??= this.#fetchOnce(url, source).finally(() => {
      source.fetching = undefined;
    });
    return source.fetching;
  }

  async #fetchOnce(url: string, source: Source): Promise<void> {
    const { runtime, log } = this.#options;
    source.startedAtMs = runtime.monotonicMs();
    try {
      const keys = parseKeySet(await fetchBytes(new URL(url)));
      source.set = { keys, fetchedAtMs: source.startedAtMs };
      source.failure = undefined;
    } catch (error) {
      source.failure = error;
      log.warn({ err: error, url }, 'the keys of an issuer could not be fetched');
    }
  }
}

/** The keys of a set by id. Throws for what is no set; keys that nothing can be verified with are left out. */
export function parseKeySet(body: Buffer): ReadonlyMap<string, JWK> {
  const value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as { keys?: unknown };
  if (typeof value !== 'object' || !Array.isArray(value.keys)) throw new Error('the answer is no key set');
  if (value.keys.length > maxKeys) throw new Error(`the key set has more than ${maxKeys} keys`);
  const keys = new Map<string, JWK>();
  for (const key of value.keys as unknown[]) {
    if (typeof key !== 'object' || key === null) continue;
    const { kid, kty, use } = key as JWK;
    const isPublic = kty === 'RSA' || kty === 'EC' || kty === 'OKP';
    if (typeof kid !== 'string' || kid.length > 512 || !isPublic || (use !== undefined && use !== 'sig')) continue;
    // Only what is public of it, should an issuer publish more.
    const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...shown } = key as JWK;
    keys.set(kid, shown);
  }
  return keys;
}

async function fetchBytes(url: URL): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const literal = plainAddress(url.hostname.replace(/^\[|\]$/g, ''));
    const options: RequestOptions = {
      method: 'GET',
      headers: { accept: 'application/json' },
      // An address in the operator's own list is meant.
      ...(literal === undefined && { lookup: outsideLookup }),
      agent: false,
    };
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options);
    const timer = setTimeout(() => request.destroy(new Error(`no answer within ${fetchTimeoutMs} ms`)), fetchTimeoutMs);
    request.once('close', () => clearTimeout(timer));
    request.once('error', reject);
    request.once('response', (response) => {
      if (response.statusCode !== 200) {
        request.destroy(new Error(`status ${String(response.statusCode)}`));
        return;
      }
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > maxBytes) request.destroy(new Error(`the key set is longer than ${maxBytes} bytes`));
      });
      response.once('error', reject);
      response.once('end', () => {
        if (response.complete) resolve(Buffer.concat(chunks));
        else reject(new Error('the answer broke off'));
      });
    });
    request.end();
  });
}

/** This machine, its links, and the metadata services of clouds: no name may lead there. */
const within = new BlockList();
within.addSubnet('0.0.0.0', 8, 'ipv4');
within.addSubnet('127.0.0.0', 8, 'ipv4');
within.addSubnet('169.254.0.0', 16, 'ipv4');
within.addSubnet('224.0.0.0', 3, 'ipv4');
within.addAddress('::', 'ipv6');
within.addAddress('::1', 'ipv6');
within.addSubnet('fe80::', 10, 'ipv6');
within.addSubnet('ff00::', 8, 'ipv6');
within.addAddress('fd00:ec2::254', 'ipv6');

/** True for an address that a name may lead to. */
export function isOutside(text: string): boolean {
  const address = plainAddress(text);
  return address !== undefined && !within.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
}

const outsideLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) {
      callback(error, '', 0);
      return;
    }
    const usable = addresses.filter(({ address }) => isOutside(address));
    const [first] = usable;
    if (first === undefined || usable.length < addresses.length) {
      callback(new Error(`${hostname} leads to an address of this machine or its network's own services`), '', 0);
    } else if (options.all === true) callback(null, usable);
    else callback(null, first.address, first.family);
  });
};
