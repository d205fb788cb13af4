import { S3Server, type S3ServerKind } from './s3-server.js';

/**
 * Declares tests that need a server of a kind. Where none is installed one test says so, by name, in the report and in a
 * line of its own.
 */
export function describeWithServer(kind: S3ServerKind, about: string, body: (server: () => S3Server) => void): void {
  const installed = process.env[kind.variable];
  describe(`${about} (${kind.name})`, () => {
    if (!installed) {
      const note = `skipped: no S3 server ${kind.name} given (set ${kind.variable}, see .ci/install-s3-servers)`;
      it(note, () => {
        process.stderr.write(`${about}: ${note}\n`);
      });
      return;
    }
    let server: S3Server | undefined;
    beforeAll(async () => {
      server = await S3Server.start(kind, installed);
    });
    afterAll(async () => server?.stop());
    body(() => {
      if (!server) throw new Error(`${kind.name} was not started`);
      return server;
    });
  });
}
