// Takes the place of an engine process that an attacker controls: tries what it should not be able to do, and prints
// for each attempt "done" or why it failed.
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

const { parent, keyFile, neighbour, neighbourPid, port, own } = JSON.parse(process.argv[2]);

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

const connected = new Promise((resolve) => {
  const socket = connect({ host: '127.0.0.1', port, timeout: 2000 });
  socket.once('connect', () => resolve('done'));
  socket.once('error', (error) => resolve(error.code ?? error.message));
  socket.once('timeout', () => resolve('ETIMEDOUT'));
});

console.log(
  JSON.stringify({
    parentEnvironment: attempt(() => readFileSync(`/proc/${parent}/environ`)),
    parentMemory: attempt(() => readMemory(parent)),
    parentFiles: attempt(() => readdirSync(`/proc/${parent}/fd`)),
    parentSignal: attempt(() => process.kill(parent, 0)),
    keyFile: attempt(() => readFileSync(keyFile)),
    neighbourDirectory: attempt(() => readdirSync(neighbour)),
    neighbourFile: attempt(() => readFileSync(join(neighbour, 'one', 'db'))),
    neighbourMemory: attempt(() => readMemory(neighbourPid)),
    neighbourSignal: attempt(() => process.kill(neighbourPid, 0)),
    becomeRoot: attempt(() => process.setuid(0)),
    shell: attempt(() => execFileSync('/bin/sh', ['-c', ':'])),
    ownFile: attempt(() => writeFileSync(join(own, 'file'), 'mine')),
    connection: await connected,
    environment: Object.keys(process.env),
  }),
);
process.exit();
