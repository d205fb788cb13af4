import { runCommand } from './synthesized-examples.js';

describe('random valid configurations', () => {
  it('keep what every deployment keeps, with no unacknowledged finding', async () => {
    const { stdout } = await runCommand('test/dist/synth-random-command.js', ['--count', '20', '--seed', '20261126']);
    const result = JSON.parse(stdout.trim().split('\n').at(-1)!);
    expect(result).toMatchObject({ count: 20, failed: 0 });
    // The sample is of all kinds, not of one.
    expect(Object.keys(result.seen).length).toBeGreaterThan(8);
  }, 900_000);
});
