import { onAbort } from './abort-listeners.js';

describe('listeners of one signal', () => {
  it('are all called when it is aborted, once, except those that were taken back', () => {
    const controller = new AbortController();
    const called: string[] = [];
    onAbort(controller.signal, () => called.push('first'));
    const takeBack = onAbort(controller.signal, () => called.push('second'));
    onAbort(controller.signal, () => called.push('third'));
    takeBack();
    controller.abort();
    controller.abort();
    expect(called).toEqual(['first', 'third']);
  });

  it('may be taken back by one that is called', () => {
    const controller = new AbortController();
    const called: string[] = [];
    onAbort(controller.signal, () => {
      called.push('first');
      takeBack();
    });
    const takeBack = onAbort(controller.signal, () => called.push('second'));
    controller.abort();
    expect(called).toEqual(['first']);
  });

  it('belong to that signal only', () => {
    const [one, other] = [new AbortController(), new AbortController()];
    const called: string[] = [];
    onAbort(one.signal, () => called.push('one'));
    onAbort(other.signal, () => called.push('other'));
    other.abort();
    expect(called).toEqual(['other']);
  });
});
