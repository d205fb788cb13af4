import { fileURLToPath } from 'node:url';

/**
 * The committed JSON Schema of a deployment's configuration. It stands beside the sources; this module is one directory deeper
 * when it was compiled.
 */
export const schemaFile = fileURLToPath(
  new URL(
    import.meta.url.includes('/dist/')
      ? '../../config/deployment-configuration.schema.json'
      : './deployment-configuration.schema.json',
    import.meta.url,
  ),
);
