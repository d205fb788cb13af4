/** A block of IPv4 addresses: the first one and how many bits are fixed. */
export interface Ipv4Block {
  readonly first: number;
  readonly prefixLength: number;
}

/** Reads `10.0.0.0/16`; undefined where it is no block or where bits below the prefix are set. */
export function parseIpv4Block(text: string): Ipv4Block | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  if (match === null) return undefined;
  const [a = 256, b = 256, c = 256, d = 256, prefixLength = 33] = match.slice(1).map(Number);
  if ([a, b, c, d].some((octet) => octet > 255) || prefixLength > 32) return undefined;
  const first = ((a * 256 + b) * 256 + c) * 256 + d;
  return first % 2 ** (32 - prefixLength) === 0 ? { first, prefixLength } : undefined;
}

/** Writes a block as `10.0.0.0/16`. */
export function formatIpv4Block({ first, prefixLength }: Ipv4Block): string {
  const octets = [24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256);
  return `${octets.join('.')}/${prefixLength}`;
}

/** Whether a block is one of RFC 1918 or RFC 6598, which the internet does not route. */
export function isPrivateBlock({ first, prefixLength }: Ipv4Block): boolean {
  return ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10'].some((range) => {
    const outer = parseIpv4Block(range);
    if (outer === undefined || prefixLength < outer.prefixLength) return false;
    return first >= outer.first && first < outer.first + 2 ** (32 - outer.prefixLength);
  });
}
