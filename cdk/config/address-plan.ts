import { formatIpv4Block, parseIpv4Block } from './ipv4-block.js';

/**
 * How a network's block is divided: into sixteen equal parts. Those of nodes begin at 0, of the control plane at 4, of load
 * balancers at 8, of the firewall at 12, one for each of at most three zones; 3, 7 and 11 are the ways out to the internet.
 */
const firstPart = { nodes: 0, control: 4, edge: 8, firewall: 12 } as const;
const exitParts = [3, 7, 11] as const;

export type SubnetPurpose = keyof typeof firstPart | 'exit';

/** The addresses of a purpose's subnet in the zone with this index. Throws `RangeError` beyond three zones. */
export function subnetCidr(networkCidr: string, purpose: SubnetPurpose, zoneIndex: number): string {
  const block = parseIpv4Block(networkCidr);
  const part = purpose === 'exit' ? exitParts[zoneIndex] : firstPart[purpose] + zoneIndex;
  if (block === undefined || part === undefined || zoneIndex > 2) {
    throw new RangeError(`no addresses for ${purpose} in zone ${zoneIndex} of ${networkCidr}`);
  }
  const prefixLength = block.prefixLength + 4;
  return formatIpv4Block({ first: block.first + part * 2 ** (32 - prefixLength), prefixLength });
}
