import { spawn } from 'node:child_process';
import { hkdfSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { foundInMemory } from '../../test/support/process-memory.js';
import { deriveKey } from './derive-key.js';

it.each([16, 32])('derives what HKDF-SHA-256 derives, of %d bytes', (length) => {
  const secret = randomBytes(32);
  for (const salt of ['', 'a database', 'x'.repeat(100)]) {
    for (const info of ['', 'fragment/1', 'ü'.repeat(300)]) {
      const expected = Buffer.from(hkdfSync('sha256', secret, salt, info, length));
      expect(deriveKey(secret, salt, info, length)).toEqual(expected);
      expect(deriveKey(secret, Buffer.from(salt), Buffer.from(info), length)).toEqual(expected);
    }
  }
});

it('derives no key longer than a digest', () => {
  expect(() => deriveKey(randomBytes(32), '', '', 33)).toThrow('a derived key of 33 bytes');
});

/** Derives a key of a secret (argument 2, every bit inverted), wipes the secret unless told otherwise, and then does nothing: no garbage is collected. */
const script = `
  const { deriveKey } = await import(process.argv[1]);
  globalThis.secret = Buffer.from(process.argv[2], 'hex').map((byte) => byte ^ 0xff);
  deriveKey(secret, 'a database', 'fragment/1', 32).fill(0);
  if (process.argv[3] === 'wiped') secret.fill(0);
  process.stdin.resume().on('end', () => process.exit());
  process.stdout.write('done');
`;

it.each([
  ['kept', ['secret']],
  ['wiped', []],
])('a secret that was %s: in memory is %j', async (fate, found) => {
  const secret = randomBytes(32);
  const inverted = Buffer.from(secret.map((byte) => byte ^ 0xff)).toString('hex');
  const module = new URL('../../dist/keys/derive-key.js', import.meta.url).href;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, module, inverted, fate], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  try {
    await once(child.stdout, 'data');
    expect([...foundInMemory(child.pid ?? 0, { secret })]).toEqual(found);
  } finally {
    child.stdin.end();
    await ended;
  }
});
