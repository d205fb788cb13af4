import { revocationRun } from './revocation-run.js';

describe('the measurement of revocations', () => {
  it('finds every database of every revoked key closed, and back', async () => {
    const lines: string[] = [];
    const result = await revocationRun({
      seed: 7,
      databases: 12,
      keys: 3,
      probeMs: 500,
      onProgress: (line) => lines.push(line),
    });
    expect(result.failures).toEqual([]);
    expect(result).toMatchObject({ open: 12, revoked: 8 });
    expect(lines).toHaveLength(3);
    // An interval is 0.45 to 0.5 s long: 7,200 to 8,000 requests an hour and key, however many databases there are.
    expect(result.requestsPerKeyAndHour).toBeGreaterThan(1_000);
    expect(result.requestsPerKeyAndHour).toBeLessThan(12_000);
  });
});
