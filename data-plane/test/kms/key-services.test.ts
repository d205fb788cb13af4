/** One contract, three key services: the local one, and the one of AWS on two emulators that lack different things. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyUse } from '../../src/keys/key-service.js';
import { KmsKeyService } from '../../src/keys/kms/kms-key-service.js';
import { createKey, LocalKeyService, setKeyState } from '../../src/keys/local-key-service.js';
import { systemRuntime } from '../../src/runtime.js';
import { describeKeyServiceContract } from '../key-service-contract.js';
import { describeWithKms } from './describe-with-kms.js';
import { localKms, motoKms } from './kms-server.js';

const localAbilities = { honoursStates: true, tellsMismatches: true, checksHeader: true, namesRequests: false };
describeKeyServiceContract('local', localAbilities, async () => {
  const parent = await mkdtemp(join(tmpdir(), 'key-contract-'));
  const keys = join(parent, 'keys');
  const uses: KeyUse[] = [];
  const service = await LocalKeyService.open(keys, { onUse: (use) => uses.push(use) });
  await createKey(keys, 'other', 0);
  return {
    service,
    uses,
    defaultKey: 'default',
    otherKeyId: 'other',
    unknownKeyId: 'unknown',
    setState: (keyId, state) => setKeyState(keys, keyId, state),
    cutOff: (keyId) => writeFile(join(keys, `${keyId}.key`), 'damaged'),
    dispose: () => rm(parent, { recursive: true, force: true }),
  };
});

for (const kind of [motoKms, localKms]) {
  describeWithKms(kind, 'the key service of AWS', (server) => {
    const abilities = { ...kind, namesRequests: true };
    describeKeyServiceContract(`KMS on ${kind.name}`, abilities, async () => {
      const uses: KeyUse[] = [];
      const defaultKey = await server().newKey();
      const service = new KmsKeyService(server().options(defaultKey), systemRuntime, (use) => uses.push(use));
      return {
        service,
        uses,
        defaultKey,
        otherKeyId: await server().newKey(),
        unknownKeyId: defaultKey.replace(/[0-9a-f-]{36}$/, '00000000-0000-4000-8000-000000000000'),
        setState: (keyArn, state) => server().setState(keyArn, state),
        ...(kind.knowsGrants && { grant: async (keyArn: string) => server().grant(keyArn) }),
        cutOff: async () => server().halt(),
        dispose: async () => {
          service.close();
          await server().resume();
        },
      };
    });

    it('goes on with the key that an alias meant at creation when the alias means another one', async () => {
      const [first, second] = [await server().newKey(), await server().newKey()];
      const alias = await server().newAlias(first);
      const service = new KmsKeyService(server().options(alias), systemRuntime);
      const context = { deployment: 'd', organization: 'o', group: 'g', database: 'b' };
      const made = await service.generateWrappedDataKey(alias, context);
      expect(made.keyId).toBe(first);
      await server().moveAlias(alias, second);
      expect((await service.generateWrappedDataKey(alias, context)).keyId).toBe(second);
      expect(await service.unwrap(made.keyId, made.wrapped, context)).toHaveLength(32);
      service.close();
    });
  });
}
