// An engine process that speaks the real frames and does what the requests say, so that everything an engine might do
// can be brought about at will. The body of a request is JSON, {"do": …}.
import { Socket } from 'node:net';
import { FlightRecorder } from '../../dist/engine/ipc/flight-recorder.js';
import { FrameReader } from '../../dist/engine/ipc/frame-reader.js';
import { decodeMessage, encodeMessage } from '../../dist/engine/ipc/messages.js';

const recorder = new FlightRecorder(process.argv[2]);
const socket = new Socket({ fd: 3 });
const reader = new FrameReader();
const commits = new Map();
/** Requests that wait for the write lock of a database. */
const parked = new Map();
const credits = new Map();

const send = (message) => socket.write(encodeMessage(message));
const respond = (request, database, text, last = true) =>
  send({
    type: 'response',
    request,
    status: 200,
    seenCommit: commits.get(database) ?? 0,
    last,
    body: Buffer.from(text),
  });
const commit = (database, last = true) => {
  const next = (commits.get(database) ?? 0) + 1;
  if (last) commits.set(database, next);
  send({ type: 'commit', database, commit: next, databasePages: 1, pages: Buffer.alloc(4100, next), last });
};
const block = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

const actions = {
  answer: ({ request, database, text }) => respond(request, database, text ?? 'answer'),
  describe: ({ request, database }) => respond(request, database, JSON.stringify({ pid: process.pid, database })),
  commit({ request, database }) {
    commit(database);
    respond(request, database, 'committed');
  },
  'commit-and-die'({ database, parts }) {
    commit(database, false);
    if (parts !== 1) commit(database);
    socket.end(() => process.exit(7));
  },
  spin({ request, database }) {
    recorder.begin(request, database);
    for (;;) block(1000);
  },
  'die-executing'({ request, database }) {
    recorder.begin(request, database);
    process.abort();
  },
  work({ request, database, ms }) {
    recorder.begin(request, database);
    block(ms);
    recorder.idle();
    respond(request, database, 'worked');
  },
  park({ request, database }) {
    parked.set(database, [...(parked.get(database) ?? []), request]);
  },
  unpark({ request, database }) {
    respond(request, database, 'unparked');
    for (const waiting of parked.get(database) ?? []) respond(waiting, database, 'resumed');
    parked.delete(database);
  },
  async stream({ request, database, parts }) {
    for (let part = 1; part <= parts; part += 1) {
      respond(request, database, `part ${part}`, part === parts);
      if (part < parts) await new Promise((resolve) => credits.set(request, resolve));
    }
  },
  silence: () => undefined,
  poison: ({ database }) => send({ type: 'poisoned', database, reason: 'disk full' }),
  streams({ request, database, open }) {
    send({ type: 'streams', database, open });
    respond(request, database, 'told');
  },
  nonsense: () => socket.write(Buffer.from([1, 0, 0, 0, 99])),
  complain({ request, database, text }) {
    console.error(text);
    respond(request, database, 'complained');
  },
};

const receive = (message) => {
  switch (message.type) {
    case 'open':
      if (message.path.endsWith('hanging')) return;
      if (message.path.endsWith('broken')) {
        send({ type: 'opened', database: message.database, error: { code: 'ENGINE_UNAVAILABLE', message: 'broken' } });
        return;
      }
      commits.set(message.database, message.commit);
      send({ type: 'opened', database: message.database });
      return;
    case 'close':
      send({ type: 'closed', database: message.database });
      return;
    case 'checkpoint':
      send({
        type: 'checkpointed',
        database: message.database,
        commit: message.commit,
        done: message.commit === commits.get(message.database),
      });
      return;
    case 'credit':
      credits.get(message.request)?.();
      return;
    case 'cancel':
      return;
    case 'request': {
      const order = JSON.parse(Buffer.from(message.body).toString());
      actions[order.do]({ ...order, request: message.request, database: message.database });
    }
  }
};

socket.on('data', (chunk) => reader.push(chunk, (frame) => receive(decodeMessage(frame))));
socket.on('end', () => process.exit());
