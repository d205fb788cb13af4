import { ByocError } from './catalogue.js';
import { answeredError } from './error-answer.js';
import { errorBody } from './error-body.js';

describe('the error that a node answered with', () => {
  it('is the one that it sent', () => {
    const sent = new ByocError('DATABASE_MOVED', 'to another node');
    expect(answeredError(Buffer.from(JSON.stringify(errorBody(sent))))).toMatchObject({
      code: 'DATABASE_MOVED',
      message: 'to another node',
    });
  });

  it.each(['', '<html>', 'null', '7', '[]', '{}', '{"code":7}', '{"code":"NOBODY_KNOWS"}', '{"code":"toString"}'])(
    'is none in %j',
    (body) => {
      expect(answeredError(Buffer.from(body))).toBeUndefined();
    },
  );

  it('is none in what is too long to be one', () => {
    const body = { ...errorBody(new ByocError('INTERNAL', 'x'.repeat(70_000))) };
    expect(answeredError(Buffer.from(JSON.stringify(body)))).toBeUndefined();
  });
});
