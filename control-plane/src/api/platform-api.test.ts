import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import type { ApiContext } from './api-context.js';
import { buildPlatformApi } from './platform-api.js';

describe('what a load balancer is told', () => {
  it('is that calls are welcome only while the catalog answers; that the process lives, always', async () => {
    let isReady = true;
    // The routes that need the rest are not called.
    const { app: api } = buildPlatformApi(
      { primaryRegion: 'local', isReady: () => isReady } as unknown as ApiContext,
      pino({ level: 'silent' }),
    );
    await api.listen({ host: '127.0.0.1', port: 0 });
    try {
      const { port } = api.server.address() as AddressInfo;
      const ask = async (path: string): Promise<Response> => fetch(`http://127.0.0.1:${port}${path}`);
      expect([(await ask('/ready')).status, (await ask('/health')).status]).toEqual([200, 200]);
      isReady = false;
      const answer = await ask('/ready');
      expect([answer.status, (await ask('/health')).status]).toEqual([503, 200]);
      expect(await answer.json()).toMatchObject({ code: 'DATA_PLANE_UNAVAILABLE' });
    } finally {
      await api.close();
    }
  });
});
