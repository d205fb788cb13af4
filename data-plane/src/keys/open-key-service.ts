import type { Runtime } from '../runtime.js';
import { describeKeyService, type KeyServiceLocation } from './key-service-url.js';
import type { EncryptionContext, KeyService, OnKeyUse } from './key-service.js';
import { kmsMisconfiguration } from './kms/kms-misconfiguration.js';
import { LocalKeyService } from './local-key-service.js';

export interface OpenKeyServiceOptions {
  readonly runtime: Runtime;
  /** Told of every use of a key. */
  readonly onUse: OnKeyUse;
}

export interface OpenedKeyService {
  readonly service: KeyService;
  /**
   * Tries everything that a node does with the default key, under the encryption context of no database. Throws an error of
   * the catalogue that says what to do when the key cannot be used as it is configured, and `KeyServiceUnavailableError`
   * when the service is in trouble that may pass. The local service proves itself when it is opened.
   */
  prove(deployment: string): Promise<void>;
  /** One request with the default key, to learn whether the service answers. Throws as `unwrap` of the service does. */
  ask(deployment: string): Promise<void>;
  close(): void;
}

/** Stands in the encryption context of a probe where databases have their organization, group and id. */
const nobody = 'start-up-probe';

/** Opens a key service; a local one is created when it is not there. Throws `KMS_REGION_WRONG`, `KeyServiceUnavailableError`. */
export async function openKeyService(
  location: KeyServiceLocation,
  { runtime, onUse }: OpenKeyServiceOptions,
): Promise<OpenedKeyService> {
  if (location.kind === 'file') {
    const service = await LocalKeyService.open(location.directory, { onUse, nowMs: () => runtime.nowMs() });
    return {
      service,
      prove: async () => undefined,
      ask: async (deployment) => askOnce(service, deployment),
      close: () => undefined,
    };
  }
  // Loaded only where it is used: the SDK takes longer to load than all the rest of a node.
  const { KmsKeyService } = await import('./kms/kms-key-service.js');
  const service = new KmsKeyService(location.options, runtime, onUse);
  const where = describeKeyService(location);
  await explaining(where, async () => service.settleRegion());
  return {
    service,
    prove: async (deployment) => explaining(where, async () => useOnce(service, deployment)),
    ask: async (deployment) => askOnce(service, deployment),
    close: () => service.close(),
  };
}

function contextOfNobody(deployment: string): EncryptionContext {
  return { deployment, organization: nobody, group: nobody, database: nobody };
}

async function askOnce(service: KeyService, deployment: string): Promise<void> {
  await service.generateWrappedDataKey(service.defaultKeyId, contextOfNobody(deployment));
}

async function useOnce(service: KeyService, deployment: string): Promise<void> {
  const context = contextOfNobody(deployment);
  const made = await service.generateWrappedDataKey(service.defaultKeyId, context);
  await service.probe(made.keyId, made.wrapped, context);
  await service.rewrap({ ...made, context }, { keyId: made.keyId, context });
}

async function explaining<T>(where: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw kmsMisconfiguration(where, error) ?? error;
  }
}
