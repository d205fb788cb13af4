import { isPrivateBlock, parseIpv4Block } from '../ipv4-block.js';
import { when, type Rule } from '../rule.js';
import { traceCollectorPort } from '../trace-collector.js';

export const traceRules: readonly Rule[] = [
  {
    code: 'TRACE_COLLECTOR_ADDRESSES',
    demands: 'The collector of traces has private addresses, and a port, that a network made here leads to.',
    broken: ({ traces, network }) => {
      if (traces.kind === 'off') return [];
      const port = traceCollectorPort({ traces });
      return [
        ...when(
          port === undefined || port < 1,
          'traces.endpoint',
          'the port is none; write one from 1 to 65535, such as 4318',
        ),
        ...traces.cidrs.flatMap((cidr, index) => {
          const path = `traces.cidrs[${index}]`;
          const block = parseIpv4Block(cidr);
          if (block === undefined)
            return when(true, path, `${cidr} is no block of addresses; write one such as 10.0.8.0/24`);
          return when(
            network.kind === 'create' && !isPrivateBlock(block),
            path,
            `no route leads from data nodes to ${cidr}; run a collector in the network, or in one that is routed to it, and let it pass on`,
          );
        }),
      ];
    },
  },
];
