import type { FromEngine } from '../../src/engine/ipc/messages.js';
import { anonymousBytes } from '../support/memory-growth.js';
import { EngineUnderTest } from './engine-under-test.js';

const streams = 10_000;
/** What docs/limits.md states. */
const mostBytesPerStream = 8_192;

describe.each(['libsql', 'tursodb'] as const)('10,000 streams that wait for their next request, %s', (name) => {
  it('take little memory each, and go on', async () => {
    const engine = new EngineUnderTest();
    try {
      const database = await engine.open(name);
      const requests = [{ type: 'store_sql', sql_id: 1, sql: 'SELECT 1' }];
      await engine.pipeline(database, requests);
      const before = anonymousBytes(engine.pid);
      const start = engine.messages.length;
      for (let count = 0; count < streams; count++) engine.post(database, { baton: null, requests });
      let seen = 0;
      const isResponse = (message: FromEngine): boolean => message.type === 'response' && message.last;
      await engine.until((message) => (isResponse(message) && ++seen === streams ? true : undefined), start);
      const bytesPerStream = (anonymousBytes(engine.pid) - before) / streams;
      console.log(`${name}: ${Math.round(bytesPerStream)} bytes for each idle stream`);
      expect(bytesPerStream).toBeLessThan(mostBytesPerStream);
      const batons = engine.messages
        .slice(start)
        .flatMap((message) => (message.type === 'response' ? [Buffer.from(message.body).toString()] : []))
        .map((body) => (JSON.parse(body) as { baton: string | null }).baton);
      expect(new Set(batons).size).toBe(streams);
      for (const baton of [batons[1], batons[5_000], batons[streams - 1]]) {
        const { results } = await engine.pipeline(database, [{ type: 'execute', stmt: { sql_id: 1 } }], {
          baton: baton ?? null,
        });
        expect(results[0]?.response?.result?.rows).toEqual([[{ type: 'integer', value: '1' }]]);
      }
    } finally {
      await engine.dispose();
    }
  });
});
