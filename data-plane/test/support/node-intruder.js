// Takes the place of an engine process that an attacker controls, beside a running node: tries what it should not be
// able to do, and prints for each attempt "done" or why it failed.
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

const { nodePid, otherEnginePid, paths, urls, own } = JSON.parse(process.argv[2]);

const attempt = (action) => {
  try {
    action();
    return 'done';
  } catch (error) {
    return error.code ?? error.message;
  }
};

const readMemory = (pid) => {
  const mapping = /^([0-9a-f]+)-/.exec(readFileSync(`/proc/${pid}/maps`, 'utf8'));
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  readSync(memory, Buffer.alloc(8), 0, 8, Number.parseInt(mapping[1], 16));
  closeSync(memory);
};

const reach = (url) =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port || 80), timeout: 1000 });
    const end = (outcome) => {
      socket.destroy();
      resolve(outcome);
    };
    socket.once('connect', () => end('done'));
    socket.once('error', (error) => end(error.code ?? error.message));
    socket.once('timeout', () => end('ETIMEDOUT'));
  });

const attempts = {};
for (const [what, pid] of Object.entries({ 'the node': nodePid, 'the other engine': otherEnginePid })) {
  attempts[`environment of ${what}`] = attempt(() => readFileSync(`/proc/${pid}/environ`));
  attempts[`memory of ${what}`] = attempt(() => readMemory(pid));
  attempts[`open files of ${what}`] = attempt(() => readdirSync(`/proc/${pid}/fd`));
  attempts[`signal to ${what}`] = attempt(() => process.kill(pid, 0));
}
for (const [what, path] of Object.entries(paths)) {
  attempts[what] = attempt(() => (statSync(path).isDirectory() ? readdirSync(path) : readFileSync(path)));
}
for (const [what, url] of Object.entries(urls)) attempts[what] = await reach(url);

console.log(
  JSON.stringify({
    attempts,
    environment: process.env,
    ownFile: attempt(() => writeFileSync(join(own, 'file'), 'mine')),
  }),
);
process.exit();
