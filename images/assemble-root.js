/**
 * Makes the root file system of an image out of a few packages of a Debian system, without running anything of it, so that
 * an image can be made for another architecture.
 *
 *   node assemble-root.js SYSTEM ROOT PACKAGE[=PATH,PATH…]…
 *
 * SYSTEM is the root of a Debian system that has the packages, ROOT a directory that is made. A package comes whole, without
 * documentation, translations and character set tables, or with the named paths only; its licence always comes along. ROOT
 * gets the dpkg entries of its packages where vulnerability scanners look for them, a user 65532 and nothing else.
 */
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

const user = 65532;
const left = [/^\/usr\/share\/(?:locale|man|info|lintian|bug|doc-base|common-licenses|menu)(?:\/|$)/, /\/gconv\//];
const documentation = /^\/usr\/share\/doc\//;

const [, , system, root, ...wanted] = process.argv;
if (!system || !root || wanted.length === 0) throw new Error('usage: assemble-root.js SYSTEM ROOT PACKAGE[=PATH,…]…');

/** The paragraphs of the system's package database, by package. */
const installed = new Map(
  readFileSync(join(system, 'var/lib/dpkg/status'), 'utf8')
    .split('\n\n')
    .map((paragraph) => [/^Package: (.*)$/m.exec(paragraph)?.[1], paragraph.trim()]),
);

/** A path with the symbolic links at the top (`/lib` → `usr/lib`) followed, as the system has them. */
function merged(path) {
  const [, top = '', rest = ''] = /^\/([^/]+)(.*)$/.exec(path) ?? [];
  const at = join(system, top);
  return existsSync(at) && lstatSync(at).isSymbolicLink() && rest !== '' ? `/${readlinkSync(at)}${rest}` : path;
}

function copy(listed) {
  const path = merged(listed);
  const from = join(system, path);
  const to = join(root, path);
  const stat = lstatSync(from, { throwIfNoEntry: false });
  if (stat === undefined) throw new Error(`the system has no ${path}`);
  if (stat.isDirectory()) {
    mkdirSync(to, { recursive: true });
    chmodSync(to, stat.mode & 0o7777);
    return;
  }
  if (lstatSync(to, { throwIfNoEntry: false })) return;
  mkdirSync(dirname(to), { recursive: true });
  if (stat.isSymbolicLink()) {
    symlinkSync(readlinkSync(from), to);
    return;
  }
  copyFileSync(from, to);
  // Nothing in an image gives another user's rights to whoever runs it.
  chmodSync(to, stat.mode & 0o1777 & ~0o6000);
}

mkdirSync(join(root, 'var/lib/dpkg/status.d'), { recursive: true });
for (const top of ['bin', 'sbin', 'lib', 'lib64', 'lib32', 'libx32']) {
  const at = join(system, top);
  if (lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink()) {
    mkdirSync(join(root, readlinkSync(at)), { recursive: true });
    symlinkSync(readlinkSync(at), join(root, top));
  }
}

for (const argument of wanted) {
  const [name, only] = argument.split('=');
  const entry = installed.get(name);
  if (entry === undefined) throw new Error(`the system has no package ${name}`);
  const architecture = /^Architecture: (.*)$/m.exec(entry)?.[1];
  const list = [`${name}:${architecture}`, name]
    .map((file) => join(system, 'var/lib/dpkg/info', `${file}.list`))
    .find((file) => existsSync(file));
  if (list === undefined) throw new Error(`nothing says which files ${name} has`);
  const all = readFileSync(list, 'utf8')
    .split('\n')
    .filter((path) => path !== '' && path !== '/.');
  const licence = all.filter((path) => path === `/usr/share/doc/${name}/copyright`);
  const chosen =
    only === undefined
      ? all.filter((path) => !documentation.test(path) && !left.some((pattern) => pattern.test(path)))
      : only.split(',');
  for (const path of [...chosen, ...licence]) copy(path);
  writeFileSync(join(root, 'var/lib/dpkg/status.d', name), `${entry}\n`);
}

mkdirSync(join(root, 'etc'), { recursive: true });
writeFileSync(
  join(root, 'etc/passwd'),
  `root:x:0:0:root:/root:/sbin/nologin\nturso:x:${user}:${user}:turso:/cache:/sbin/nologin\n`,
);
writeFileSync(join(root, 'etc/group'), `root:x:0:\nturso:x:${user}:\n`);
writeFileSync(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');
for (const [directory, mode, owner] of [
  ['cache', 0o711, user],
  ['tmp', 0o1777, 0],
]) {
  mkdirSync(join(root, directory), { recursive: true });
  chmodSync(join(root, directory), mode);
  chownSync(join(root, directory), owner, owner);
}
