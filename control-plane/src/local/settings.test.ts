import { resolve } from 'node:path';
import { readLocalSettings } from './settings.js';

describe('readLocalSettings', () => {
  it('works without any', () => {
    expect(readLocalSettings({})).toEqual({
      dataDirectory: resolve('.turso-byoc'),
      httpPort: 8080,
      apiPort: 8081,
      commitWindowMs: 10,
    });
  });

  it('takes free ports and no commit window', () => {
    expect(
      readLocalSettings({
        TURSO_BYOC_DATA_DIR: '/data',
        TURSO_BYOC_HTTP_PORT: '0',
        TURSO_BYOC_API_PORT: '0',
        TURSO_BYOC_COMMIT_WINDOW_MS: '0',
      }),
    ).toEqual({ dataDirectory: '/data', httpPort: 0, apiPort: 0, commitWindowMs: 0 });
  });

  it.each([
    ['TURSO_BYOC_HTTP_PORT', '99999'],
    ['TURSO_BYOC_API_PORT', 'x'],
    ['TURSO_BYOC_COMMIT_WINDOW_MS', '1.5'],
  ])('refuses %s=%s', (name, value) => {
    expect(() => readLocalSettings({ [name]: value })).toThrow(expect.objectContaining({ code: 'SETTING_INVALID' }));
  });
});
