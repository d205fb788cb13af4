/**
 * `node smoke-test-command.js API-URL`: creates a database on the deployment whose Platform API is there, writes, reads and
 * deletes it, with a platform token of its own that is revoked at the end; settings as of a control plane.
 */
import { randomBytes } from 'node:crypto';
import { readConfig } from '../config.js';
import { organization } from '../organization.js';
import { withOwnControlPlane } from './own-control-plane.js';
import { runCommand, UsageError } from './run-command.js';
import { smokeTest } from './smoke-test.js';

runCommand(async () => {
  const [url = ''] = process.argv.slice(2);
  if (!/^https?:\/\//.test(url)) throw new UsageError('usage: smoke-test-command.js http(s)://HOST:PORT');
  const name = `smoke-test-${randomBytes(4).toString('hex')}`;
  await withOwnControlPlane(process.env, async (controlPlane) => {
    const { platformTokens } = controlPlane;
    const { uuid: userUuid } = await controlPlane.localUser();
    const { jwt, jti } = await platformTokens.mint({ userUuid, name, mintedBy: 'smoke test' });
    try {
      await smokeTest({
        apiUrl: url.replace(/\/$/, ''),
        dataUrl: readConfig(process.env).dataUrl.replace(/\/$/, ''),
        organization,
        token: jwt,
        name,
        report: (line) => process.stdout.write(`${line}\n`),
      });
    } finally {
      await platformTokens.revoke(userUuid, jti);
    }
  });
});
