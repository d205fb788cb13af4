import { totalmem } from 'node:os';
import { defaultEngineMemoryMiB } from './engine-memory.js';

const gibibyte = 2 ** 30;

it('what engine processes may take fits into the node, with one more and with what the node itself needs', () => {
  for (const nodeBytes of [2 * gibibyte, 8 * gibibyte, 16 * gibibyte, 240 * gibibyte]) {
    for (const processes of [1, 2, 4, 16]) {
      const each = defaultEngineMemoryMiB(processes, nodeBytes) * 2 ** 20;
      if (each > 256 * 2 ** 20) expect(each * (processes + 1)).toBeLessThanOrEqual(nodeBytes * 0.75);
    }
  }
  expect([defaultEngineMemoryMiB(2, 8 * gibibyte), defaultEngineMemoryMiB(1, 2 * gibibyte)]).toEqual([2_048, 768]);
});

it('is never less than ordinary work takes, and follows the machine', () => {
  expect(defaultEngineMemoryMiB(8, gibibyte)).toBe(256);
  expect(defaultEngineMemoryMiB(2)).toBeLessThanOrEqual(totalmem() / 2 ** 20 / 3);
});
