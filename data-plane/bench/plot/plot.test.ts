import { barPlot, linePlot } from './plot.js';

const points = (svg: string): string[] =>
  [...svg.matchAll(/<polyline points="([^"]+)"/g)].map((found) => found[1] ?? '');

describe('line plots', () => {
  test('a higher value is higher up, and as far to the right as its place on the axis', () => {
    const svg = linePlot({
      title: 'a < b',
      xTitle: 'x',
      yTitle: 'y',
      series: [
        {
          name: 'one',
          points: [
            { x: 0, y: 0 },
            { x: 50, y: 50 },
            { x: 100, y: 100 },
          ],
        },
      ],
    });
    const [first, second, third] = (points(svg)[0] ?? '').split(' ').map((pair) => pair.split(',').map(Number));
    expect(second?.[0]).toBeCloseTo(((first?.[0] ?? 0) + (third?.[0] ?? 0)) / 2, 0);
    expect(third?.[1]).toBeLessThan(first?.[1] ?? 0);
    expect(svg).toContain('a &lt; b');
  });

  test('on logarithmic axes equal factors are equal distances', () => {
    const series = [{ name: 'one', points: [1, 10, 100].map((x) => ({ x, y: x })) }];
    const svg = linePlot({ title: 't', xTitle: 'x', yTitle: 'y', series, isLogarithmic: true });
    const [a = 0, b = 0, c = 0] = (points(svg)[0] ?? '').split(' ').map((pair) => Number(pair.split(',')[0]));
    expect(b - a).toBeCloseTo(c - b, 0);
    expect(() =>
      linePlot({
        title: 't',
        xTitle: 'x',
        yTitle: 'y',
        series: [{ name: 'n', points: [{ x: 0, y: 1 }] }],
        isLogarithmic: true,
      }),
    ).toThrow(RangeError);
  });
});

test('bars begin at zero and are as high as their values', () => {
  const svg = barPlot({ title: 't', unit: 'ms', names: ['a', 'b'], groups: [{ name: 'g', values: [10, 20] }] });
  const heights = [...svg.matchAll(/<rect x="[\d.]+" y="[\d.]+" width="[\d.]+" height="([\d.]+)" fill="#[^f]/g)].map(
    (found) => Number(found[1]),
  );
  expect(heights).toHaveLength(4);
  expect((heights[1] ?? 0) / (heights[0] ?? 1)).toBeCloseTo(2, 1);
});
