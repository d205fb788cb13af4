import type { Runtime } from '../../runtime.js';
import { FrameReader } from '../ipc/frame-reader.js';
import { decodeMessage } from '../ipc/messages.js';
import { Outbox } from './outbox.js';

/** An outbox whose socket keeps what is written, and whose turns run when they are asked for. */
function outboxUnderTest() {
  const writes: Buffer[] = [];
  const due = new Set<() => void>();
  const runtime: Pick<Runtime, 'schedule'> = {
    schedule: (_ms, run) => {
      due.add(run);
      return () => due.delete(run);
    },
  };
  const socket = {
    writableNeedDrain: false,
    write: (bytes: Uint8Array) => writes.push(Buffer.from(bytes)) > 0,
    once: () => undefined,
  };
  const outbox = new Outbox(socket, runtime as Runtime);
  const turn = (): void => {
    for (const run of [...due]) {
      due.delete(run);
      run();
    }
  };
  const messages = (): unknown[] => {
    const decoded: unknown[] = [];
    const reader = new FrameReader();
    for (const bytes of writes) reader.push(bytes, (frame) => decoded.push(decodeMessage(frame)));
    return decoded;
  };
  return { outbox, writes, due, turn, messages };
}

const response = (request: number, text: string) => ({ request, status: 200, seenCommit: 2 ** 40, last: true, text });

it('sends what one turn produces in one piece and in order, responses as text included', () => {
  const { outbox, writes, turn, messages } = outboxUnderTest();
  outbox.send({ type: 'commit', database: 1, commit: 7, databasePages: 3, pages: Buffer.from('pages'), last: true });
  outbox.respond(response(4_000_000_000, '{"a":"ä€𝄞"}'));
  outbox.send({ type: 'closed', database: 1 });
  outbox.respond(response(2, ''));
  expect(writes).toHaveLength(0);
  turn();
  expect(writes).toHaveLength(1);
  expect(messages()).toEqual([
    { type: 'commit', database: 1, commit: 7, databasePages: 3, pages: Buffer.from('pages'), last: true },
    {
      type: 'response',
      request: 4_000_000_000,
      status: 200,
      seenCommit: 2 ** 40,
      last: true,
      body: Buffer.from('{"a":"ä€𝄞"}'),
    },
    { type: 'closed', database: 1 },
    { type: 'response', request: 2, status: 200, seenCommit: 2 ** 40, last: true, body: Buffer.alloc(0) },
  ]);
});

it('needs no turn of its own for what was flushed before, and takes one for what comes after', () => {
  const { outbox, writes, due, turn } = outboxUnderTest();
  outbox.respond(response(1, '{}'));
  outbox.flush();
  expect([writes.length, due.size]).toEqual([1, 0]);
  outbox.flush();
  outbox.respond(response(2, '{}'));
  turn();
  expect([writes.length, due.size]).toEqual([2, 0]);
});
