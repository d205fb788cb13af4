import { parseCommandLine, usage, UsageError } from './command-line.js';

const names = ['point-select', 'writers'];

describe('the command line', () => {
  it('runs everything by default and writes nowhere', () => {
    const options = parseCommandLine([], names);
    expect(options).toMatchObject({ quick: false, only: [], help: false });
    expect(options.write).toBeUndefined();
  });

  it('takes cases, a budget and a file', () => {
    const args = ['--quick', '--only', 'writers', '--only', 'point-select', '--write', 'docs/benchmarks/a.json'];
    expect(parseCommandLine(args, names)).toMatchObject({
      quick: true,
      only: ['writers', 'point-select'],
      write: 'docs/benchmarks/a.json',
    });
  });

  it.each([
    [['--only', 'nothing'], 'there is no case "nothing"; there are: point-select, writers'],
    [['--write', 'results.txt'], '.json'],
    [['--render', 'docs', '--quick'], '--render'],
    [['--speed'], '--speed'],
    [['writers'], 'writers'],
  ])('refuses %p', (args, message) => {
    expect(() => parseCommandLine(args, names)).toThrow(UsageError);
    expect(() => parseCommandLine(args, names)).toThrow(message);
  });

  it('names every case in its help', () => {
    expect(usage([{ name: 'writers', title: 'Many writers' }])).toContain('writers  Many writers');
  });
});
