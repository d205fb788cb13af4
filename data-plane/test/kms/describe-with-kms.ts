import { KmsServer, type KmsServerKind } from './kms-server.js';

/**
 * Declares tests that need an emulator of a kind. Where none is installed one test says so, by name, in the report and in a
 * line of its own.
 */
export function describeWithKms(kind: KmsServerKind, about: string, body: (server: () => KmsServer) => void): void {
  const installed = process.env[kind.variable];
  describe(`${about} (${kind.name})`, () => {
    if (!installed) {
      const note = `skipped: no KMS emulator ${kind.name} given (set ${kind.variable}, see .ci/install-kms-servers)`;
      it(note, () => {
        process.stderr.write(`${about}: ${note}\n`);
      });
      return;
    }
    let server: KmsServer | undefined;
    beforeAll(async () => {
      server = await KmsServer.start(kind, installed);
    });
    afterAll(async () => server?.stop());
    body(() => {
      if (!server) throw new Error(`${kind.name} was not started`);
      return server;
    });
  });
}
