/**
 * The PROXY protocol, version 2: what a load balancer that passes connections on (NLB) says of each before its first byte. AWS adds
 * the VPC endpoint that a connection came through. https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt
 */
import type { Socket } from 'node:net';
import { isIPv6 } from 'node:net';
import { plainAddress, type ClientOrigin } from '../auth/client-origin.js';

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const fixedBytes = 16;
/** More than all that AWS sends; a longer header is none. */
const maxHeaderBytes = 2_048;
const awsType = 0xea;
const awsVpcEndpoint = 0x01;

export interface ProxyHeader {
  /** Undefined when the proxy speaks for itself (a health check). */
  readonly origin: ClientOrigin | undefined;
  /** Bytes of the header. */
  readonly length: number;
}

/** The header that `bytes` begin with; `partial` when it may still become one, undefined when it is none. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | 'partial' | undefined {
  const compared = Math.min(bytes.length, signature.length);
  if (signature.compare(bytes, 0, compared, 0, compared) !== 0) return undefined;
  if (bytes.length < fixedBytes) return 'partial';
  const versionAndCommand = bytes.readUInt8(12);
  const length = fixedBytes + bytes.readUInt16BE(14);
  if (versionAndCommand >> 4 !== 2 || length > maxHeaderBytes) return undefined;
  if (bytes.length < length) return 'partial';
  const command = versionAndCommand & 0x0f;
  if (command === 0) return { origin: undefined, length };
  if (command !== 1) return undefined;
  const family = bytes.readUInt8(13) >> 4;
  const body = bytes.subarray(fixedBytes, length);
  if (family === 1 && body.length >= 12) {
    return { origin: { address: [...body.subarray(0, 4)].join('.'), ...vpcEndpointOf(body.subarray(12)) }, length };
  }
  if (family === 2 && body.length >= 36) {
    const address = plainAddress(ipv6(body.subarray(0, 16)));
    return { origin: { address, ...vpcEndpointOf(body.subarray(36)) }, length };
  }
  return { origin: { address: undefined }, length };
}

/** Reads the header of a connection before anybody else does, then gives the rest back to it and calls `proceed`. */
export function readProxyHeader(
  socket: Socket,
  proceed: (origin: ClientOrigin | undefined) => void,
  refuse: (why: string) => void,
): void {
  let pending = Buffer.alloc(0);
  const stop = (): void => {
    socket.off('data', onData).off('close', stop).off('error', stop);
  };
  const onData = (chunk: Buffer): void => {
    pending = Buffer.concat([pending, chunk]);
    const header = parseProxyHeader(pending);
    if (header === 'partial') return;
    stop();
    if (header === undefined) {
      refuse('it does not begin with a header of the PROXY protocol');
      return;
    }
    socket.pause();
    if (header.length < pending.length) socket.unshift(pending.subarray(header.length));
    proceed(header.origin);
    socket.resume();
  };
  socket.on('data', onData).on('close', stop).on('error', stop);
}

function ipv6(bytes: Buffer): string {
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(bytes.readUInt16BE(at).toString(16));
  const text = groups.join(':');
  const mapped = /^0:0:0:0:0:ffff:/.test(text) ? `::ffff:${[...bytes.subarray(12)].join('.')}` : text;
  return isIPv6(mapped) ? mapped : text;
}

/** The AWS extension among the type-length-value fields after the addresses. */
function vpcEndpointOf(fields: Buffer): Pick<ClientOrigin, 'vpcEndpoint'> {
  for (let at = 0; at + 3 <= fields.length;) {
    const type = fields.readUInt8(at);
    const length = fields.readUInt16BE(at + 1);
    const value = fields.subarray(at + 3, at + 3 + length);
    if (value.length < length) return {};
    if (type === awsType && value[0] === awsVpcEndpoint) return { vpcEndpoint: value.toString('latin1', 1) };
    at += 3 + length;
  }
  return {};
}
