import { VirtualRuntime } from '../../../test/virtual-runtime.js';
import { RequestContext } from './request-context.js';
import { Signal } from './task.js';

const incoming = { request: 1, kind: 'v3-pipeline', readOnly: false, body: Buffer.alloc(0) } as const;
const tooLong = expect.objectContaining({ code: 'REQUEST_TOO_LONG' });

describe('how long a request runs', () => {
  it('is counted from its first statement', async () => {
    const runtime = new VirtualRuntime();
    const context = new RequestContext(incoming, runtime);
    await runtime.advance(5_000);
    context.throwIfTooLong(100);
    await runtime.advance(100);
    context.throwIfTooLong(100);
    await runtime.advance(1);
    expect(() => context.throwIfTooLong(100)).toThrow(tooLong);
  });

  it('leaves out what it waited, for its turn or for a signal', async () => {
    const runtime = new VirtualRuntime();
    const context = new RequestContext(incoming, runtime);
    context.throwIfTooLong(100);
    for (const task of [context.giveWay(), context.park(new Signal(), 10_000)]) {
      await runtime.advance(40);
      task.next();
      await runtime.advance(1_000);
      task.next();
      context.throwIfTooLong(100);
    }
    await runtime.advance(21);
    expect(() => context.throwIfTooLong(100)).toThrow(tooLong);
  });
});
