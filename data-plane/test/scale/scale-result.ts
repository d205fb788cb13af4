/** What `npm run scale` found, as it is kept in docs/runs/scale.json. */
import type { FleetFigures } from './fleet-figures.js';
import type { Growth } from './extrapolation.js';
import type { MeasuredFigures } from './measured-figures.js';

export interface ScaleResult {
  readonly seed: number;
  readonly measured: MeasuredFigures;
  readonly fleets: readonly FleetFigures[];
  /** From the largest fleet. */
  readonly growth: readonly Growth[];
}

/** What must hold, and does not. */
export function defects({ fleets }: ScaleResult): string[] {
  return fleets.flatMap(({ fleet: { name }, run, placement }) => [
    ...(run.lost > 0 ? [`${name}: ${run.lost} databases lack what was acknowledged`] : []),
    ...(placement.movedWithoutReason > 0
      ? [`${name}: ${placement.movedWithoutReason} databases moved from nodes that stayed`]
      : []),
    // Two leases, and as long again to recover the logs and claim the databases.
    ...(run.loss.moved.maxMs > 8_000 ? [`${name}: a database answered ${run.loss.moved.maxMs} ms after the loss`] : []),
  ]);
}
