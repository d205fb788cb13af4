/**
 * Cuts off what a 64-bit ELF program or library needs to be debugged, but not to run: everything behind the last byte that
 * is loaded into memory, which is symbols, debug information and section headers. Works for every architecture.
 *
 *   node strip-debug.js FILE…
 */
import { readFileSync, writeFileSync } from 'node:fs';

for (const file of process.argv.slice(2)) {
  const bytes = readFileSync(file);
  const isElf64 = bytes.readUInt32BE(0) === 0x7f454c46 && bytes[4] === 2 && bytes[5] === 1;
  if (!isElf64) throw new Error(`${file} is not a 64-bit little-endian ELF file`);
  const headers = Number(bytes.readBigUInt64LE(32));
  const [size, count] = [bytes.readUInt16LE(54), bytes.readUInt16LE(56)];
  let end = headers + size * count;
  for (let index = 0; index < count; index += 1) {
    const at = headers + size * index;
    end = Math.max(end, Number(bytes.readBigUInt64LE(at + 8)) + Number(bytes.readBigUInt64LE(at + 32)));
  }
  if (end >= bytes.length) continue;
  // Nothing refers to section headers any more: offset, number and index of names are zero.
  bytes.writeBigUInt64LE(0n, 40);
  bytes.fill(0, 58, 64);
  writeFileSync(file, bytes.subarray(0, end));
  process.stdout.write(`${file}: ${bytes.length} → ${end} bytes\n`);
}
