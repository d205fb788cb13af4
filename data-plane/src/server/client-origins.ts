/**
 * Where clients are, behind whatever stands before this node.
 *
 * By itself a node believes the connection and nothing else. A proxy's word is taken only when the connection comes from an
 * address that the operator named (`TURSO_BYOC_TRUSTED_PROXIES`): of `X-Forwarded-For` the last address that is not such a
 * proxy's, because everything before it was the client's to write. Another node that passes a request on says where its client
 * is, under a code that only holders of the admin credential can make.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { AddressSet, plainAddress, type ClientOrigin } from '../auth/client-origin.js';
import type { Runtime } from '../runtime.js';

/** What a node says of the client of a request that it passes on. */
export const originHeader = 'x-turso-byoc-client';
export const forwardedForHeader = 'x-forwarded-for';
/** How far the clocks of nodes may be apart. */
const maxSkewMs = 120_000;
const longestHeader = 4_096;

export interface OriginHeaders {
  readonly [forwardedForHeader]?: string | string[] | undefined;
  readonly [originHeader]?: string | string[] | undefined;
}

export interface ClientOriginsOptions {
  /** Addresses and CIDR blocks. */
  readonly trustedProxies: readonly string[];
  readonly adminCredential: string;
  readonly runtime: Pick<Runtime, 'nowMs'>;
}

export class ClientOrigins {
  readonly #trusted: AddressSet;
  readonly #key: Buffer;
  readonly #runtime: Pick<Runtime, 'nowMs'>;
  /** What the PROXY protocol said of connections. */
  readonly #told = new WeakMap<Socket, ClientOrigin>();

  constructor({ trustedProxies, adminCredential, runtime }: ClientOriginsOptions) {
    this.#trusted = new AddressSet(trustedProxies);
    this.#key = createHmac('sha256', adminCredential).update('turso-byoc client origin').digest();
    this.#runtime = runtime;
  }

  /** Whether the other end of a connection is a proxy whose word is taken. */
  isTrusted(socket: Socket): boolean {
    const address = plainAddress(socket.remoteAddress);
    return address !== undefined && this.#trusted.has(address);
  }

  /** Takes what the PROXY protocol said of a connection. */
  learn(socket: Socket, origin: ClientOrigin): void {
    this.#told.set(socket, origin);
  }

  /** `label`: the database that the request is for. */
  originOf(socket: Socket, headers: OriginHeaders, label: string): ClientOrigin {
    const passedOn = headers[originHeader];
    if (passedOn !== undefined) {
      const origin = typeof passedOn === 'string' ? this.#verified(passedOn, label) : undefined;
      if (origin !== undefined) return origin;
    }
    const peer: ClientOrigin = this.#told.get(socket) ?? { address: plainAddress(socket.remoteAddress) };
    const forwardedFor = headers[forwardedForHeader];
    if (forwardedFor === undefined || peer.address === undefined || !this.#trusted.has(peer.address)) return peer;
    const address = this.#lastUntrusted(Array.isArray(forwardedFor) ? forwardedFor.join(',') : forwardedFor);
    return { ...peer, address };
  }

  /** The value of `originHeader` for a request that is passed on. */
  sign(origin: ClientOrigin, label: string): string {
    const content = Buffer.from(JSON.stringify({ ...origin, at: this.#runtime.nowMs() })).toString('base64url');
    return `${content}.${this.#codeOf(content, label)}`;
  }

  #verified(header: string, label: string): ClientOrigin | undefined {
    const [content = '', code = '', ...rest] = header.split('.');
    const expected = Buffer.from(this.#codeOf(content, label));
    const given = Buffer.from(code);
    if (header.length > longestHeader || rest.length > 0 || given.length !== expected.length) return undefined;
    if (!timingSafeEqual(given, expected)) return undefined;
    const { address, vpcEndpoint, at } = JSON.parse(Buffer.from(content, 'base64url').toString('utf8')) as {
      address?: string;
      vpcEndpoint?: string;
      at: number;
    };
    if (Math.abs(this.#runtime.nowMs() - at) > maxSkewMs) return undefined;
    return { address, ...(vpcEndpoint !== undefined && { vpcEndpoint }) };
  }

  #codeOf(content: string, label: string): string {
    return createHmac('sha256', this.#key).update(`${label}\n${content}`).digest('base64url');
  }

  /** Undefined when an entry cannot be read: then nobody knows what stands before it. */
  #lastUntrusted(forwardedFor: string): string | undefined {
    const entries = forwardedFor.split(',');
    for (let at = entries.length - 1; at >= 0; at -= 1) {
      const address = plainAddress(withoutPort((entries[at] ?? '').trim()));
      if (address === undefined) return undefined;
      if (at === 0 || !this.#trusted.has(address)) return address;
    }
    return undefined;
  }
}

/** Load balancers may add the client's port. */
function withoutPort(text: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(text)?.[1];
  if (bracketed !== undefined) return bracketed;
  return /^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/.exec(text)?.[1] ?? text;
}
