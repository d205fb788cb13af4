import { noteworthy } from './log-line.js';

describe('noteworthy', () => {
  it('keeps warnings and errors, with cause and advice', () => {
    expect(noteworthy('{"level":40,"msg":"slow store"}')).toBe('warning: slow store');
    expect(
      noteworthy('{"level":60,"msg":"cannot start","err":{"message":"port in use"},"remedy":"Choose another."}'),
    ).toBe('error: cannot start: port in use. Choose another.');
  });

  it('drops the rest of the log', () => {
    expect(noteworthy('{"level":30,"msg":"answered"}')).toBeUndefined();
    expect(noteworthy('  ')).toBeUndefined();
  });

  it('shows what is not a log record as it is', () => {
    expect(noteworthy('Error: Cannot find module')).toBe('Error: Cannot find module');
    expect(noteworthy('{broken')).toBe('{broken');
  });
});
