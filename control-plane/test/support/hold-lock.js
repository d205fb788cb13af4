/** Takes the lock on a path, says so, and holds it until it is killed; says "busy" and ends when another has it. */
import { lockDirectory } from '../../dist/local/directory-lock.js';

const [, , path] = process.argv;
try {
  globalThis.held = await lockDirectory(path, 'the directory');
  process.stdout.write('held\n');
  setInterval(() => undefined, 60_000);
} catch (error) {
  process.stdout.write(`${error.code} ${error.message}\n`);
}
