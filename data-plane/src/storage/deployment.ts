import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite, readWithRetry } from './conditional-write.js';
import { deploymentRecordName } from './object-names.js';
import { StoredJson } from './stored-json.js';

const storedDeployment = new StoredJson<{ id: string }>('turso-byoc/deployment/1', {
  type: 'object',
  properties: { id: { type: 'string', pattern: '^[0-9a-f]{32}$' } },
  required: ['id'],
  additionalProperties: false,
});

/**
 * The identity of the deployment that a data store belongs to: made once, part of everything that is sealed. Nodes that
 * start together on an empty store agree on one.
 */
export async function deploymentId(runtime: Runtime, store: ObjectStore): Promise<string> {
  const decode = (body: Buffer): string => storedDeployment.decode(deploymentRecordName, body).id;
  const found = await readWithRetry(runtime, deploymentRecordName, () => store.get(deploymentRecordName));
  if (found) return decode(found.body);
  const id = runtime.randomBytes(16).toString('hex');
  const written = await conditionalWrite(runtime, store, deploymentRecordName, storedDeployment.encode({ id }), {
    ifAbsent: true,
  });
  if (written.won) return id;
  if (!written.current) throw new Error('the deployment record vanished');
  return decode(written.current.body);
}
