import { median, percentile, type RatioInterval } from '../statistics.js';
import type { Figure, Target, Unit } from './report.js';

/** A figure whose value is the median of its samples. */
export function medianFigure(name: string, unit: Unit, samples: ArrayLike<number>): Figure {
  return { name, unit, value: median(samples), samples: Array.from(samples) };
}

/** p50 and p99 of the same samples; the samples stand with the first. */
export function latencyFigures(name: string, latenciesMs: ArrayLike<number>): Figure[] {
  return [
    { name: `${name} p50`, unit: 'ms', value: percentile(latenciesMs, 0.5), samples: Array.from(latenciesMs) },
    { name: `${name} p99`, unit: 'ms', value: percentile(latenciesMs, 0.99), samples: [] },
  ];
}

/** A figure that was counted or measured once. */
export function singleFigure(name: string, unit: Unit, value: number): Figure {
  return { name, unit, value, samples: [value] };
}

/** A geometric mean with its 95 % interval; the ratios stand with the mean. */
export function ratioFigures(name: string, ratios: readonly number[], { mean, low, high }: RatioInterval): Figure[] {
  return [
    { name: `${name} ratio`, unit: 'ratio', value: mean, samples: ratios },
    { name: `${name} ratio, low`, unit: 'ratio', value: low, samples: [] },
    { name: `${name} ratio, high`, unit: 'ratio', value: high, samples: [] },
  ];
}

export function target(
  name: string,
  unit: Unit,
  value: number,
  comparison: Target['comparison'],
  bound: number,
): Target {
  const met = comparison === 'at least' ? value >= bound : value <= bound;
  return { name, unit, value, comparison, bound, met };
}
