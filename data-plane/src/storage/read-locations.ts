/** Reads many locations with few requests: what lies close together in one object is read at once. */
import type { NodeEpoch } from '../identity.js';
import { packOf, type FragmentLocation } from './log-location.js';
import { fragmentsOfRun } from './pack.js';
import { containerName, readContainer, type TailStores } from './tail.js';

/** Bytes between two locations that are read rather than asked around, and the most bytes of one request. */
const mostGapBytes = 128 * 1024;
const mostSpanBytes = 8 * 2 ** 20;
const parallelReads = 16;

interface Span {
  readonly first: FragmentLocation;
  readonly locations: FragmentLocation[];
  end: number;
}

/** The fragments at each location, in order. Throws `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT`. */
export async function readLocations(
  stores: TailStores,
  epoch: NodeEpoch,
  locations: readonly FragmentLocation[],
): Promise<Map<FragmentLocation, Buffer[]>> {
  const found = new Map<FragmentLocation, Buffer[]>();
  const spans = spansOf(locations);
  const readNext = async (): Promise<void> => {
    for (let span = spans.pop(); span; span = spans.pop()) {
      const { first, end } = span;
      const [place, start] = first;
      const key = containerName(stores, epoch, first);
      const bytes = await readContainer(stores, epoch, [place, start, end - start, 0, 0]);
      for (const location of span.locations) {
        const part = bytes.subarray(location[1] - start, location[1] - start + location[2]);
        found.set(location, packOf(location) === undefined ? [part] : fragmentsOfRun(key, part));
      }
    }
  };
  await Promise.all(Array.from({ length: parallelReads }, readNext));
  return found;
}

function spansOf(locations: readonly FragmentLocation[]): Span[] {
  const spans: Span[] = [];
  for (const location of [...locations].sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    const [place, offset, length] = location;
    const last = spans.at(-1);
    const joins =
      last?.first[0] === place && offset - last.end <= mostGapBytes && offset + length - last.first[1] <= mostSpanBytes;
    if (joins) {
      last.locations.push(location);
      last.end = Math.max(last.end, offset + length);
    } else {
      spans.push({ first: location, locations: [location], end: offset + length });
    }
  }
  return spans;
}
