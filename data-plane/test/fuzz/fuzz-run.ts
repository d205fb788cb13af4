/**
 * Feeds a decoder with inputs made from known ones. An input whose outcome is new (another refusal, another shape of what was
 * read) becomes a known one, so that the inputs reach ever deeper into the decoder.
 *
 * A failure is whatever is not an answer: an error that is not a 4xx of the catalogue, an input that takes very long, memory
 * that grows with the number of inputs.
 */
import { isByocError } from '@turso-byoc/data-plane/errors/catalogue.js';
import type { FuzzTarget } from './fuzz-targets.js';
import type { SeededRandom } from '../seeded-random.js';
import { mutated } from './mutate-input.js';

export interface FuzzResult {
  readonly inputs: number;
  readonly refused: number;
  /** Different outcomes that were met. */
  readonly outcomes: number;
  readonly slowestMs: number;
  /** Growth of the heap from after the first tenth to the end, garbage collected. */
  readonly heapGrowthBytes: number;
}

export interface FuzzOptions {
  readonly target: FuzzTarget;
  readonly seed: number;
  readonly random: SeededRandom;
  /** Asked before each input, with the number of those before. */
  readonly goesOn: (inputs: number) => boolean;
  readonly monotonicMs: () => number;
  readonly collectGarbage: () => void;
  /** @default 2000 */
  readonly slowMs?: number;
}

const mostKnown = 2_000;

export class FuzzFailure extends Error {
  constructor(
    reason: string,
    readonly input: Buffer,
    options?: ErrorOptions,
  ) {
    super(`${reason}; the input in hex: ${input.subarray(0, 4_096).toString('hex')}`, options);
  }
}

/** Throws `FuzzFailure`. */
export function fuzz(options: FuzzOptions): FuzzResult {
  const { target, random, goesOn, monotonicMs, collectGarbage, slowMs = 2_000 } = options;
  const known = target.seeds(options.seed);
  const seen = new Set<string>();
  let inputs = 0;
  let refused = 0;
  let slowestMs = 0;
  let baseline: number | undefined;
  const pick = (): Buffer => known[random.below(known.length)] ?? Buffer.alloc(0);
  for (; goesOn(inputs); inputs += 1) {
    const seedInput = known[inputs];
    const input = seedInput && inputs < known.length ? seedInput : mutated(pick(), pick(), random);
    const startMs = monotonicMs();
    const outcome = outcomeOf(target, input);
    const tookMs = monotonicMs() - startMs;
    slowestMs = Math.max(slowestMs, tookMs);
    if (tookMs > slowMs) throw new FuzzFailure(`an input took ${Math.round(tookMs)} ms`, input);
    if (outcome.startsWith('refused')) refused += 1;
    if (!seen.has(outcome) && seen.size < mostKnown) {
      seen.add(outcome);
      known.push(input);
    }
    if (inputs === 20_000) {
      collectGarbage();
      baseline = process.memoryUsage().heapUsed;
    }
  }
  collectGarbage();
  const heapGrowthBytes = baseline === undefined ? 0 : process.memoryUsage().heapUsed - baseline;
  return { inputs, refused, outcomes: seen.size, slowestMs, heapGrowthBytes };
}

function outcomeOf(target: FuzzTarget, input: Buffer): string {
  try {
    return `read ${shape(target.read(input), 4)}`;
  } catch (error) {
    if (!isByocError(error) || error.status < 400 || error.status > 499) {
      throw new FuzzFailure(`not an answer: ${String(error)}`, input, { cause: error });
    }
    return `refused ${error.code} ${error.message.replace(/\d+/gu, '0').slice(0, 200)}`;
  }
}

/** Kinds and names, no content. */
function shape(value: unknown, depth: number): string {
  if (value === null || typeof value !== 'object') return typeof value;
  if (Buffer.isBuffer(value)) return 'bytes';
  if (Array.isArray(value)) return `[${depth > 0 && value.length > 0 ? shape(value[0], depth - 1) : ''}]`;
  if (depth === 0) return '{}';
  const fields = Object.entries(value).map(([name, of]) =>
    name === 'type' ? `type=${String(of)}` : `${name}:${shape(of, depth - 1)}`,
  );
  return `{${fields.join()}}`;
}
