import { bindArguments } from './bind-arguments.js';

const named = (...names: string[]): { args: []; namedArgs: { name: string; value: string }[] } => ({
  args: [],
  namedArgs: names.map((name) => ({ name, value: `value of ${name}` })),
});

describe('bindArguments', () => {
  it('binds by position, whatever the parameters are called', () => {
    expect(bindArguments([null, ':a', '?3'], { args: [1n, 'x', null], namedArgs: [] })).toEqual([1n, 'x', null]);
    expect(bindArguments([], { args: [], namedArgs: [] })).toEqual([]);
  });

  it('binds by name, with and without prefixes', () => {
    expect(bindArguments([':a', '@b', '$c'], named('b', ':a', '$c'))).toEqual([
      'value of :a',
      'value of b',
      'value of $c',
    ]);
  });

  it.each([
    [[null], { args: [], namedArgs: [] }],
    [[null], { args: [1n, 2n], namedArgs: [] }],
    [[], { args: [1n], namedArgs: [] }],
    [[':a', ':b'], named('a')],
    [[':a'], named('a', 'b')],
    [[':a', ':b'], named('a', 'c')],
    [[null], named('a')],
    [['?1'], named('1')],
  ])('refuses to bind %j with %j', (parameters, given) => {
    expect(() => bindArguments(parameters, given)).toThrow(expect.objectContaining({ code: 'ARGS_INVALID' }) as Error);
  });

  it('refuses both kinds at once', () => {
    expect(() => bindArguments([':a'], { ...named('a'), args: [1n] })).toThrow(
      expect.objectContaining({ code: 'ARGS_BOTH_POSITIONAL_AND_NAMED' }) as Error,
    );
  });
});
