/** Plots as SVG text, for pages that GitHub renders: no library, no browser, the same text from the same figures. */

export interface Series {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** A bound, not something measured. */
  readonly isDashed?: boolean;
}

export interface LinePlot {
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly series: readonly Series[];
  /** Both axes are logarithmic, or neither is. @default false */
  readonly isLogarithmic?: boolean;
}

export interface BarPlot {
  readonly title: string;
  /** Of all values. */
  readonly unit: string;
  readonly groups: readonly { readonly name: string; readonly values: readonly number[] }[];
  /** What the first, second, … value of every group is. */
  readonly names: readonly string[];
}

const [width, height] = [760, 380];
const area = { left: 80, right: 560, top: 44, bottom: 316 };
/** Told apart also by those who do not see all colours (Okabe and Ito). */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#000000'];

/** Throws `RangeError` for a point that a logarithmic axis has no place for, and for a plot without points. */
export function linePlot({ title, xTitle, yTitle, series, isLogarithmic = false }: LinePlot): string {
  const points = series.flatMap((one) => one.points);
  const x = axis(
    points.map((point) => point.x),
    area.left,
    area.right,
    isLogarithmic,
  );
  const y = axis(
    points.map((point) => point.y),
    area.bottom,
    area.top,
    isLogarithmic,
  );
  const lines = series.flatMap((one, index) => {
    const colour = colours[index % colours.length] ?? '';
    const path = one.points.map((point) => `${round(x.place(point.x))},${round(y.place(point.y))}`).join(' ');
    const dash = one.isDashed ? ' stroke-dasharray="6 4"' : '';
    const marks = one.isDashed
      ? []
      : one.points.map(
          (point) =>
            `<circle cx="${round(x.place(point.x))}" cy="${round(y.place(point.y))}" r="3.5" fill="${colour}"/>`,
        );
    return [`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>`, ...marks];
  });
  const xTicks = x.ticks.map((tick) => text(x.place(tick), area.bottom + 20, short(tick), 'middle'));
  return svg(title, [
    ...gridAndLabels(y, yTitle),
    ...xTicks,
    text((area.left + area.right) / 2, area.bottom + 46, xTitle, 'middle'),
    ...lines,
    ...legend(series.map(({ name }) => name)),
  ]);
}

/** Bars that begin at zero. Throws `RangeError` without groups. */
export function barPlot({ title, unit, groups, names }: BarPlot): string {
  const y = axis([0, ...groups.flatMap(({ values }) => values)], area.bottom, area.top, false);
  const groupWidth = (area.right - area.left) / Math.max(1, groups.length);
  const barWidth = (groupWidth * 0.8) / Math.max(1, names.length);
  const bars = groups.flatMap(({ name, values }, group) => [
    ...values.map((value, index) => {
      const left = area.left + group * groupWidth + groupWidth * 0.1 + index * barWidth;
      const top = y.place(value);
      return (
        `<rect x="${round(left)}" y="${round(top)}" width="${round(barWidth * 0.92)}" ` +
        `height="${round(area.bottom - top)}" fill="${colours[index % colours.length] ?? ''}"/>`
      );
    }),
    text(area.left + (group + 0.5) * groupWidth, area.bottom + 20, name, 'middle'),
  ]);
  return svg(title, [...gridAndLabels(y, unit), ...bars, ...legend(names)]);
}

interface Axis {
  readonly ticks: readonly number[];
  place(value: number): number;
}

function axis(values: readonly number[], from: number, to: number, isLogarithmic: boolean): Axis {
  if (values.length === 0) throw new RangeError('a plot without points');
  if (isLogarithmic && values.some((value) => value <= 0)) throw new RangeError('a logarithmic axis begins above zero');
  const scale = (value: number): number => (isLogarithmic ? Math.log10(value) : value);
  const [least, most] = [Math.min(...values.map(scale)), Math.max(...values.map(scale))];
  let ticks: number[];
  if (isLogarithmic) {
    const [first, last] = [Math.floor(least), Math.ceil(most)];
    const step = Math.max(1, Math.ceil((last - first) / 8));
    ticks = [];
    for (let power = first; power < last + step; power += step) ticks.push(10 ** power);
  } else {
    const rough = (most - Math.min(0, least)) / 6 || 1;
    const magnitude = 10 ** Math.floor(Math.log10(rough));
    const step = magnitude * ([1, 2, 5, 10].find((factor) => factor * magnitude >= rough) ?? 10);
    ticks = [];
    for (let at = Math.floor(Math.min(0, least) / step); at * step < most + step; at++) ticks.push(at * step);
  }
  const [low, high] = [scale(ticks[0] ?? 0), scale(ticks.at(-1) ?? 1)];
  return { ticks, place: (value) => from + ((scale(value) - low) / (high - low || 1)) * (to - from) };
}

function gridAndLabels(y: Axis, title: string): string[] {
  const middle = (area.top + area.bottom) / 2;
  return [
    ...y.ticks.flatMap((tick) => [
      `<line x1="${area.left}" x2="${area.right}" y1="${round(y.place(tick))}" y2="${round(y.place(tick))}" stroke="#ddd"/>`,
      text(area.left - 8, y.place(tick) + 4, short(tick), 'end'),
    ]),
    `<text x="18" y="${middle}" text-anchor="middle" transform="rotate(-90 18 ${middle})">${escaped(title)}</text>`,
  ];
}

function legend(names: readonly string[]): string[] {
  return names.flatMap((name, index) => [
    `<rect x="${area.right + 16}" y="${area.top + index * 22 - 9}" width="12" height="12" fill="${colours[index % colours.length] ?? ''}"/>`,
    text(area.right + 34, area.top + index * 22 + 1, name, 'start'),
  ]);
}

function svg(title: string, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="${area.left}" y="24" font-size="15" font-weight="bold">${escaped(title)}</text>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function text(x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end'): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escaped(content)}</text>`;
}

const escaped = (content: string): string =>
  content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const round = (value: number): string => String(Math.round(value * 10) / 10);

function short(value: number): string {
  for (const [size, letter] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (Math.abs(value) >= size) return `${Number((value / size).toPrecision(3))}${letter}`;
  }
  return String(Number(value.toPrecision(3)));
}
