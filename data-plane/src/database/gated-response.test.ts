import { ByocError } from '../errors/catalogue.js';
import { heldLease } from '../../test/support/leases.js';
import { VirtualRuntime } from '../../test/virtual-runtime.js';
import type { SqlResponse } from './database-service.js';
import { DurabilityGate } from './durability-gate.js';
import { GatedResponse, type ResponsePart } from './gated-response.js';

class Answer {
  readonly runtime = new VirtualRuntime();
  readonly gate = new DurabilityGate(this.runtime, heldLease, 0, 100);
  taken = 0;
  abandoned = 0;
  readonly response = new GatedResponse(
    this.gate,
    (bytes) => (this.taken += bytes),
    () => (this.abandoned += 1),
  );

  push(text: string, seenCommit: number, last = false): void {
    this.response.push({ status: 200, seenCommit, last, body: Buffer.from(text) } satisfies ResponsePart);
  }
}

function streamOf(response: SqlResponse): AsyncIterator<Buffer> {
  if (Buffer.isBuffer(response.body)) throw new Error('not a stream');
  return response.body[Symbol.asyncIterator]();
}

/** What a promise has come to when everything that is ready has run. */
async function state(runtime: VirtualRuntime, promise: Promise<unknown>): Promise<string> {
  let result = 'waits';
  promise.then(
    () => (result = 'resolved'),
    () => (result = 'rejected'),
  );
  await runtime.advance(0);
  return result;
}

describe('gated response', () => {
  it('gives a whole answer when its commit is durable', async () => {
    const answer = new Answer();
    const response = answer.response.response();
    expect(answer.response.hasStarted).toBe(false);
    answer.push('all', 2, true);
    expect(answer.response.hasStarted).toBe(true);
    answer.gate.advance(1);
    expect(await state(answer.runtime, response)).toBe('waits');
    answer.gate.advance(2);
    expect(await response).toEqual({ status: 200, body: Buffer.from('all') });
    expect(answer.abandoned).toBe(0);
  });

  it('streams at the pace of its consumer, each part behind the gate, nothing empty', async () => {
    const answer = new Answer();
    answer.push('ab', 0);
    answer.push('', 0);
    answer.push('cde', 1);
    const stream = streamOf(await answer.response.response());
    expect(String((await stream.next()).value)).toBe('ab');
    expect(answer.taken).toBe(0);
    const second = stream.next();
    expect(await state(answer.runtime, second)).toBe('waits');
    expect(answer.taken).toBe(2);
    answer.gate.advance(1);
    expect(String((await second).value)).toBe('cde');
    const third = stream.next();
    expect(await state(answer.runtime, third)).toBe('waits');
    expect(answer.taken).toBe(5);
    answer.push('f', 1, true);
    expect(String((await third).value)).toBe('f');
    expect((await stream.next()).done).toBe(true);
    expect(answer.abandoned).toBe(0);
  });

  it('ends on an empty last part', async () => {
    const answer = new Answer();
    answer.push('a', 0);
    answer.push('', 0, true);
    const stream = streamOf(await answer.response.response());
    await stream.next();
    expect((await stream.next()).done).toBe(true);
    expect(answer.abandoned).toBe(0);
  });

  it('fails before it starts with what it was given', async () => {
    const answer = new Answer();
    const response = answer.response.response();
    answer.response.fail(new Error('lost'));
    await expect(response).rejects.toThrow('lost');
    expect(answer.abandoned).toBe(0);
  });

  it('fails after it started, behind the parts that came before', async () => {
    const answer = new Answer();
    answer.push('a', 0);
    answer.push('b', 0);
    answer.response.fail(new Error('lost'));
    const stream = streamOf(await answer.response.response());
    await stream.next();
    expect(String((await stream.next()).value)).toBe('b');
    await expect(stream.next()).rejects.toThrow('lost');
    expect(answer.abandoned).toBe(0);
  });

  it.each([
    ['before it takes anything', 0],
    ['after a part', 1],
  ])('tells the engine when the consumer goes away %s', async (_when, parts) => {
    const answer = new Answer();
    answer.push('a', 0);
    const stream = streamOf(await answer.response.response());
    for (let taken = 0; taken < parts; taken++) await stream.next();
    await stream.return?.();
    await stream.return?.();
    expect(answer.abandoned).toBe(1);
    expect((await stream.next()).done).toBe(true);
  });

  it('tells the engine at once when the consumer goes away while it waits for a part', async () => {
    const answer = new Answer();
    answer.push('a', 0);
    const stream = streamOf(await answer.response.response());
    await stream.next();
    const waiting = stream.next();
    await answer.runtime.advance(0);
    const left = stream.return?.();
    expect(answer.abandoned).toBe(1);
    expect(await waiting).toEqual({ done: true, value: undefined });
    await left;
  });

  it('does not cancel a request that has ended', async () => {
    const answer = new Answer();
    answer.push('a', 0);
    answer.push('b', 0, true);
    const stream = streamOf(await answer.response.response());
    await stream.next();
    await stream.next();
    await stream.return?.();
    expect(answer.abandoned).toBe(0);
  });

  it.each([
    ['first part', 0],
    ['later part', 1],
  ])('stops the engine when the gate does not let the %s out', async (_which, before) => {
    const answer = new Answer();
    for (let part = 0; part < before; part++) answer.push('a', 0);
    answer.push('b', 1);
    const moved = new ByocError('DATABASE_MOVED', 'moved');
    const everything = (async () => {
      const stream = streamOf(await answer.response.response());
      for (;;) await stream.next();
    })();
    expect(await state(answer.runtime, everything)).toBe('waits');
    answer.gate.fail(moved);
    await expect(everything).rejects.toBe(moved);
    expect(answer.abandoned).toBe(1);
  });

  it('stops nothing when the gate refuses a whole answer', async () => {
    const answer = new Answer();
    answer.push('a', 1, true);
    const response = expect(answer.response.response()).rejects.toThrow('100 ms');
    await answer.runtime.advance(100);
    await response;
    expect(answer.abandoned).toBe(0);
  });
});
