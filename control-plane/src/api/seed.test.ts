import { parseSeed } from './seed.js';

const nowMs = Date.parse('2026-06-01T00:00:00Z');
const fault = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string });

it.each<[string, unknown, unknown]>([
  ['as the SDK sends it', { type: 'database', name: 'shop' }, { kind: 'branch', parent: 'shop' }],
  ['as the CLI sends it', { type: 'database', value: 'shop', timestamp: null }, { kind: 'branch', parent: 'shop' }],
  ['without a type', { name: 'shop' }, { kind: 'branch', parent: 'shop' }],
  [
    'with a time',
    { type: 'database', name: 'shop', timestamp: '2026-01-31T12:00:00.250Z' },
    { kind: 'branch', parent: 'shop', timeMs: Date.parse('2026-01-31T12:00:00.250Z') },
  ],
  [
    'with an offset',
    { type: 'database', name: 'shop', timestamp: '2026-01-31T12:00:00+02:00' },
    { kind: 'branch', parent: 'shop', timeMs: Date.parse('2026-01-31T10:00:00Z') },
  ],
  ['for an upload', { type: 'database_upload' }, { kind: 'upload' }],
])('reads a seed %s', (_what, seed, expected) => {
  expect(parseSeed(seed, nowMs)).toEqual(expected);
});

it.each<[unknown, string, RegExp]>([
  ['shop', 'SEED_INVALID', /object/],
  [['shop'], 'SEED_INVALID', /object/],
  [{ type: 'dump', url: 'https://dump.example' }, 'OPTION_NOT_OFFERED', /no other address/],
  [{ type: 'dump' }, 'OPTION_NOT_OFFERED', /no other address/],
  [{ type: 'upload' }, 'OPTION_NOT_OFFERED', /"dump" only/],
  [{ type: 'database' }, 'SEED_INVALID', /name a database/],
  [{ type: 'database', name: 5 }, 'SEED_INVALID', /name a database/],
  [{ name: 'shop', timestamp: 'yesterday' }, 'SEED_INVALID', /must be a time/],
  [{ name: 'shop', timestamp: '2026-13-01T00:00:00Z' }, 'SEED_INVALID', /must be a time/],
  [{ name: 'shop', timestamp: '2026-01-01T00:00:00' }, 'SEED_INVALID', /must be a time/],
  [{ name: 'shop', timestamp: 1_700_000_000 }, 'SEED_INVALID', /must be a time/],
  [{ name: 'shop', timestamp: '2026-06-01T00:00:01Z' }, 'SEED_INVALID', /future/],
  [{ name: 'shop', timestamp: '1969-06-01T00:00:01Z' }, 'SEED_INVALID', /1970/],
])('refuses %j', (seed, code, message) => {
  expect(() => parseSeed(seed, nowMs)).toThrow(fault(code, message) as Error);
});
