import { describe, expect, it } from 'vitest';
import { MAX_NAME_LENGTH, MAX_TEXT_LENGTH, parseComment } from '../../../services/chat/comment.ts';
import { AppError } from '../../../services/shared/errors.ts';

const ADA = { name: 'Ada', text: 'Hello' };

function refusal(fields: { name?: unknown; text?: unknown }): string {
  try {
    parseComment(fields);
  } catch (error) {
    if (error instanceof AppError && error.code === 'invalid_comment') return error.message;
    throw error;
  }
  throw new Error('it was taken');
}

describe('a comment', () => {
  it('is taken without what is around it, and with one kind of line ends', () => {
    expect(parseComment({ name: '  Ada ', text: '\r\n one\r\ntwo\rthree\n' })).toEqual({
      name: 'Ada',
      text: 'one\ntwo\nthree',
    });
  });

  it('may be as long as is documented, also where a form sends two characters for each line end', () => {
    const name = 'x'.repeat(MAX_NAME_LENGTH);
    const text = `${'y\r\n'.repeat(MAX_TEXT_LENGTH / 2 - 1)}yy`;
    expect(parseComment({ name, text }).text).toHaveLength(MAX_TEXT_LENGTH);
    expect(refusal({ name: `${name}x`, text })).toBe('Your name has more than 40 characters');
    expect(refusal({ name, text: `${text}y` })).toBe('Your comment has more than 1000 characters');
  });

  it.each(['<script>alert(1)</script>', 'مرحبا', '👩‍🚀 👋🏽', 'a\tb', 'e\u0301', "Robert'); DROP TABLE comments;--"])(
    'may say anything that can be shown: %j',
    (text) => {
      expect(parseComment({ ...ADA, text }).text).toBe(text);
    },
  );

  it.each([undefined, null, 7, ['Ada'], { toString: 'Ada' }])('is refused where a field is no text: %j', (value) => {
    expect(refusal({ ...ADA, name: value })).toBe('Your name is missing');
    expect(refusal({ ...ADA, text: value })).toBe('Your comment is missing');
  });

  it.each(['', '   ', '\n\t', '\u00a0\u2003', '\u200b\u200d', '\ufeff', '\u0301'])(
    'is refused where there is nothing to be seen: %j',
    (value) => {
      expect(refusal({ ...ADA, name: value })).toBe('Your name is empty');
      expect(refusal({ ...ADA, text: value })).toBe('Your comment is empty');
    },
  );

  it.each(['a\0b', 'a\u001b[31m', 'a\u0085b', 'a\ud800b', '\udc00a'])(
    'is refused with what cannot be shown: %j',
    (value) => {
      expect(refusal({ ...ADA, name: value })).toBe('Your name has characters that cannot be shown');
      expect(refusal({ ...ADA, text: value })).toBe('Your comment has characters that cannot be shown');
    },
  );

  it('is refused with a name of several lines', () => {
    expect(refusal({ ...ADA, name: 'Ada\nKing' })).toBe('Your name must be a single line');
  });
});
