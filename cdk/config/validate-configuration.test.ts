import { readdirSync, readFileSync } from 'node:fs';
import { mergePatch } from './merge-patch.js';
import { allRules } from './rules/all-rules.js';
import { ConfigurationError, problemsOf, validateConfiguration } from './validate-configuration.js';

const fixtures = new URL('./fixtures/', import.meta.url);
const read = (name: string): any => JSON.parse(readFileSync(new URL(name, fixtures), 'utf8'));
const valid = read('valid.json');
const broken = readdirSync(new URL('broken/', fixtures)).map((file) => file.replace('.json', ''));

describe('a configuration', () => {
  it('that is valid has no problems, and gets its defaults', () => {
    expect(problemsOf(valid)).toEqual([]);
    expect(validateConfiguration(valid)).toMatchObject({
      dataNodes: { minimum: 3, maximum: 12 },
      retention: { pointInTimeDays: 35 },
      egress: { kind: 'off' },
      removalProtection: true,
    });
  });

  it.each(broken)('%s is refused with a sentence that says what to do', (name) => {
    const { change, expected } = read(`broken/${name}.json`);
    expect(problemsOf(mergePatch(valid, change))).toEqual(
      expected.map((problem: object) => ({ code: name.replace(/-.*/, ''), ...problem })),
    );
    expect(expected.length).toBeGreaterThan(0);
  });

  it('has a bad fixture for every rule', () => {
    const codes = allRules.map(({ code }) => code);
    expect(new Set(codes).size).toBe(codes.length);
    expect(codes.filter((code) => !broken.includes(code))).toEqual([]);
  });

  it('that is refused names every problem in one error', () => {
    const change = { tags: { 'aws:owner': 'me' }, alarms: { emailAddresses: [] } };
    expect(() => validateConfiguration(mergePatch(valid, change))).toThrow(ConfigurationError);
    expect(() => validateConfiguration(mergePatch(valid, change))).toThrow(
      /ALARMS_REACH_NOBODY at alarms: [\s\S]*TAG_RESERVED at tags\.aws:owner: /,
    );
  });

  it.each([undefined, null, 7, 'x', []])('that is %p is refused by its shape', (configuration) => {
    expect(problemsOf(configuration)).toEqual([
      expect.objectContaining({ code: 'SHAPE', message: expect.stringContaining('must be object') }),
    ]);
  });
});
