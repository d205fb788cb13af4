/** `node platform-token-command.js NAME`: prints a new platform token; settings as of a control plane. */
import { withOwnControlPlane } from './own-control-plane.js';
import { runCommand, UsageError } from './run-command.js';

runCommand(async () => {
  const [name, ...more] = process.argv.slice(2);
  if (name === undefined || more.length > 0 || !/^[A-Za-z0-9._-]{1,64}$/.test(name)) {
    throw new UsageError(
      'usage: platform-token-command.js NAME\n' +
        'Prints a platform token of this name (letters, digits, ".", "_", "-"). One that had the name before is revoked.',
    );
  }
  const token = await withOwnControlPlane(process.env, async (controlPlane) => {
    const { uuid } = await controlPlane.localUser();
    return controlPlane.platformTokens.ensure(uuid, name, undefined, 'platform-token command');
  });
  process.stdout.write(`${token}\n`);
});
