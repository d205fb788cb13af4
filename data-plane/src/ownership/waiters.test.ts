import { VirtualRuntime } from '../../test/virtual-runtime.js';
import { Waiters } from './waiters.js';

it('tells or refuses those who wait, and keeps nothing of one whose time is over', async () => {
  const runtime = new VirtualRuntime();
  const waiters = new Waiters(runtime);
  const short = waiters.told(10);
  const long = waiters.told(20);
  await runtime.advance(10);
  expect([await short, waiters.size]).toEqual([false, 1]);
  waiters.tell();
  expect([await long, waiters.size]).toEqual([true, 0]);
  const refused = waiters.told(10);
  waiters.refuse(new Error('never'));
  await expect(refused).rejects.toThrow('never');
  expect([waiters.size, runtime.timers]).toEqual([0, 0]);
});
