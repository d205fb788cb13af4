import { ByocError } from '../../errors/catalogue.js';
import type { EngineName } from '../../identity.js';
import type { EngineAdapter } from './adapter.js';

/**
 * Loads the native binary of one engine into this process and returns its adapter. Only the engine that is asked for is
 * loaded: each costs memory and start-up time. Throws `ENGINE_UNAVAILABLE` when this platform has no binary of it.
 */
export async function loadAdapter(name: EngineName): Promise<EngineAdapter> {
  try {
    switch (name) {
      case 'libsql':
        return (await import('./libsql.js')).libsqlAdapter;
      case 'tursodb':
        return (await import('./tursodb.js')).tursodbAdapter;
    }
  } catch (error) {
    throw new ByocError('ENGINE_UNAVAILABLE', `the engine "${name}" cannot be loaded on this platform`, {
      cause: error,
    });
  }
}
