/**
 * Figures that a document takes from a file which a command wrote. Behind such a figure stands a comment, which readers do
 * not see: `2,517 ms<!-- runs/scale.json fleets.0.run.loss.moved.maxMs -->`; the file is named from docs/, a factor may follow
 * (`* 0.001`). The figure must be what stands in the file, rounded to as many places as it is written with.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Document } from './documents.js';

export interface Figure {
  readonly path: string;
  readonly written: string;
  readonly file: string;
  readonly pointer: string;
  readonly factor: number;
}

const pattern =
  /(-?\d[\d,]*(?:\.\d+)?)\**\s*(?:ms|s|µs|%|kB|MB|GB|KiB|MiB|GiB|bytes|dollars|seconds|minutes|[a-z ]{0,24})?\**<!-- ((?:runs|benchmarks)\/[\w./-]+\.json) (\S+)(?: \* ([\d.e-]+))? -->/g;

export function figuresOf({ path, text }: Document): Figure[] {
  return [...text.matchAll(pattern)].map(([, written = '', file = '', pointer = '', factor = '1']) => ({
    path,
    written,
    file,
    pointer,
    factor: Number(factor),
  }));
}

/** Comments that name a file of figures, whether a figure stands before them or not. */
export function sourcesOf({ text }: Document): number {
  return [...text.matchAll(/<!-- (?:runs|benchmarks)\/\S+\.json /g)].length;
}

/** What is wrong with a figure, or undefined. */
export function figureDefect(repository: string, { path, written, file, pointer, factor }: Figure): string | undefined {
  const where = `${path}: ${written} (${file} ${pointer})`;
  const full = join(repository, 'docs', file);
  if (!existsSync(full)) return `${where}: there is no such file`;
  const value = valueAt(JSON.parse(readFileSync(full, 'utf8')), pointer);
  if (typeof value !== 'number') return `${where}: the file has no such number`;
  const plain = written.replaceAll(',', '');
  const places = plain.split('.')[1]?.length ?? 0;
  const rounded = (value * factor).toFixed(places);
  return Number(rounded) === Number(plain) ? undefined : `${where}: the file says ${rounded}`;
}

/** `a.b.0.c`; a part `[key=value]` picks the first element of a list that has that value. */
export function valueAt(value: unknown, pointer: string): unknown {
  let at = value;
  for (const part of pointer.match(/\[[^\]]+\]|[^.[\]]+/g) ?? []) {
    const wanted = /^\[([^=]+)=(.*)\]$/.exec(part);
    if (wanted && Array.isArray(at)) {
      at = at.find(
        (element: unknown) => String(valueAt(element, (wanted[1] ?? '').replaceAll('/', '.'))) === wanted[2],
      );
    } else if (typeof at === 'object' && at !== null) {
      at = (at as Record<string, unknown>)[part];
    } else {
      return undefined;
    }
  }
  return at;
}
