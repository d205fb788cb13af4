/** Inputs from inputs: what a fuzzer changes. Deterministic for a source of random numbers. */
import type { SeededRandom } from '../seeded-random.js';

const longestBytes = 1024 * 1024;
/** Tokens that decoders treat specially. */
const words = [
  ...['{', '}', '[', ']', '"', ':', ',', 'null', 'true', '1e999', '-0', '9223372036854775808', '"type"', '"stmt"'],
  ...['"steps"', '"cond"', '"conds"', '{"type":"not","cond":', '{"type":"and","conds":[', '"\\ud800"', '"__proto__"'],
  ...['"sql_id":2147483648', '"base64":"===="', '\u0000', '\ufeff', '[[[[[[[[[[[[[[[['],
].map((word) => Buffer.from(word));
const extremes = [0, 1, 0x0a, 0x12, 0x1a, 0x22, 0x7f, 0x80, 0xff];

/** One to four changes of `input`; `other` is another known input, to take parts of. */
export function mutated(input: Buffer, other: Buffer, random: SeededRandom): Buffer {
  let result = input;
  for (let left = 1 + random.below(4); left > 0; left--) result = changed(result, other, random);
  return result.subarray(0, longestBytes);
}

function changed(input: Buffer, other: Buffer, random: SeededRandom): Buffer {
  const below = (bound: number): number => random.below(bound);
  const at = below(input.length + 1);
  const length = below(Math.min(32, input.length - at + 1));
  const spliced = (...middle: Buffer[]): Buffer =>
    Buffer.concat([input.subarray(0, at), ...middle, input.subarray(at + length)]);
  switch (below(9)) {
    case 0:
      return spliced();
    case 1:
      return spliced(words[below(words.length)] ?? input);
    case 2:
      return spliced(Buffer.from(Array.from({ length: below(8) }, () => below(256))));
    case 3:
      return spliced(Buffer.from([extremes[below(extremes.length)] ?? 0]));
    case 4: {
      const from = below(other.length + 1);
      return spliced(other.subarray(from, from + below(64)));
    }
    case 5: {
      // A part again and again: nesting, long lists.
      const part = input.subarray(at, at + length);
      return spliced(...Array<Buffer>(1 + below(below(20) === 0 ? 20_000 : 8)).fill(part));
    }
    case 6:
      return input.subarray(0, at);
    case 7: {
      const copy = Buffer.from(input);
      if (copy.length > 0) copy[at % copy.length] = (copy[at % copy.length] ?? 0) ^ (1 << below(8));
      return copy;
    }
    default:
      // The whole as a field of a message around it.
      return input.length < 128 ? Buffer.concat([Buffer.from([0x1a, input.length]), input]) : input;
  }
}
