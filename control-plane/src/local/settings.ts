import { resolve } from 'node:path';
import { readInteger, readPort } from '../config.js';

/** What `npm start` can be told. */
export interface LocalSettings {
  /** Everything that is stored on this machine, absolute. */
  readonly dataDirectory: string;
  /** Port of the data plane; 0 = a free one. */
  readonly httpPort: number;
  /** Port of the Platform API; 0 = a free one. */
  readonly apiPort: number;
  /** How long the data node collects commits for one log object, at most. */
  readonly commitWindowMs: number;
}

/** Reads the settings from an environment. Throws `SETTING_INVALID`. */
export function readLocalSettings(environment: Readonly<Record<string, string | undefined>>): LocalSettings {
  const directory = environment['TURSO_BYOC_DATA_DIR'];
  return {
    dataDirectory: resolve(directory === undefined || directory === '' ? '.turso-byoc' : directory),
    httpPort: readPort('TURSO_BYOC_HTTP_PORT', environment, 8080),
    apiPort: readPort('TURSO_BYOC_API_PORT', environment, 8081),
    commitWindowMs: readInteger(
      'TURSO_BYOC_COMMIT_WINDOW_MS',
      environment,
      10,
      10_000,
      'a number of milliseconds from 0 to 10000',
    ),
  };
}
