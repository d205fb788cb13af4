/** Where a request comes from, as far as it is known, and lists of places that it may come from. */
import { BlockList, isIP } from 'node:net';

export interface ClientOrigin {
  /** An IPv4 or IPv6 address; undefined when what told it cannot be believed or read. */
  readonly address: string | undefined;
  /** `vpce-…`, when a load balancer told that the connection came through this VPC endpoint. */
  readonly vpcEndpoint?: string;
}

/** Entries of one list, at most. */
export const maxAllowedIps = 500;
export const maxAllowedVpcEndpoints = 100;
const vpcEndpointPattern = /^vpce-[0-9a-z]{1,64}$/;

/** The address without the notation of IPv4 in IPv6; undefined for what is no address. */
export function plainAddress(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text)?.[1];
  const address = mapped ?? text;
  return isIP(address) === 0 ? undefined : address.toLowerCase();
}

/** What is wrong with a list of addresses and CIDR blocks; undefined when nothing is. */
export function faultOfAddresses(entries: readonly string[]): string | undefined {
  if (entries.length > maxAllowedIps) return `it has more than ${maxAllowedIps} entries`;
  const wrong = entries.find((entry) => parseBlock(entry) === undefined);
  return wrong === undefined ? undefined : `${JSON.stringify(wrong.slice(0, 64))} is no IP address and no CIDR block`;
}

/** What is wrong with a list of ids of VPC endpoints; undefined when nothing is. */
export function faultOfVpcEndpoints(entries: readonly string[]): string | undefined {
  if (entries.length > maxAllowedVpcEndpoints) return `it has more than ${maxAllowedVpcEndpoints} entries`;
  const wrong = entries.find((entry) => !vpcEndpointPattern.test(entry));
  return wrong === undefined ? undefined : `${JSON.stringify(wrong.slice(0, 64))} does not begin with "vpce-"`;
}

/** Addresses and CIDR blocks, ready to be asked. */
export class AddressSet {
  readonly #blocks = new BlockList();

  /** Throws `RangeError` for an entry that is neither. */
  constructor(entries: readonly string[]) {
    for (const entry of entries) {
      const block = parseBlock(entry);
      if (block === undefined) throw new RangeError(`${entry} is no IP address and no CIDR block`);
      this.#blocks.addSubnet(block.address, block.prefix, block.family);
    }
  }

  has(address: string): boolean {
    return this.#blocks.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
  }
}

function parseBlock(
  entry: string,
): { readonly address: string; readonly prefix: number; readonly family: 'ipv4' | 'ipv6' } | undefined {
  const [text = '', bits, ...rest] = entry.split('/');
  const version = isIP(text);
  // An address with a zone (fe80::1%eth0) is one of this machine only.
  if (version === 0 || text.includes('%') || rest.length > 0) return undefined;
  const most = version === 4 ? 32 : 128;
  if (bits !== undefined && !/^\d{1,3}$/.test(bits)) return undefined;
  const prefix = bits === undefined ? most : Number(bits);
  return prefix > most ? undefined : { address: text, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}
