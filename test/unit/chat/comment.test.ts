import { describe, expect, it } from 'vitest';
import { MAX_NAME_LENGTH, MAX_TEXT_LENGTH, parseComment } from '../../../services/chat/comment.ts';
import { AppError } from '../../../services/shared/errors.ts';

const ADA = { name: 'Ada', text: 'Hello' };

function rejection(fields: { name?: unknown; text?: unknown }): string {
  try {
    parseComment(fields);
  } catch (error) {
    if (error instanceof AppError && error.code === 'invalid_comment') return error.message;
    throw error;
  }
  throw new Error('the comment was accepted');
}

describe('parseComment', () => {
  it('trims name and text, and normalizes line ends', () => {
    expect(parseComment({ name: '  Ada ', text: '\r\n one\r\ntwo\rthree\n' })).toEqual({
      name: 'Ada',
      text: 'one\ntwo\nthree',
    });
  });

  it('accepts the documented length, with each line end of a form counted once', () => {
    const name = 'x'.repeat(MAX_NAME_LENGTH);
    const text = `${'y\r\n'.repeat(MAX_TEXT_LENGTH / 2 - 1)}yy`;
    expect(parseComment({ name, text }).text).toHaveLength(MAX_TEXT_LENGTH);
    expect(rejection({ name: `${name}x`, text })).toBe('Your name has more than 40 characters');
    expect(rejection({ name, text: `${text}y` })).toBe('Your comment has more than 1000 characters');
  });

  it.each(['<script>alert(1)</script>', 'مرحبا', '👩‍🚀 👋🏽', 'a\tb', 'e\u0301', "Robert'); DROP TABLE comments;--"])(
    'accepts any visible text: %j',
    (text) => {
      expect(parseComment({ ...ADA, text }).text).toBe(text);
    },
  );

  it.each([undefined, null, 7, ['Ada'], { toString: 'Ada' }])('rejects a field that is not a string: %j', (value) => {
    expect(rejection({ ...ADA, name: value })).toBe('Your name is missing');
    expect(rejection({ ...ADA, text: value })).toBe('Your comment is missing');
  });

  it.each(['', '   ', '\n\t', '\u00a0\u2003', '\u200b\u200d', '\ufeff', '\u0301'])(
    'rejects a field without a visible character: %j',
    (value) => {
      expect(rejection({ ...ADA, name: value })).toBe('Your name is empty');
      expect(rejection({ ...ADA, text: value })).toBe('Your comment is empty');
    },
  );

  it.each(['a\0b', 'a\u001b[31m', 'a\u0085b', 'a\ud800b', '\udc00a'])(
    'rejects control characters and unpaired surrogates: %j',
    (value) => {
      expect(rejection({ ...ADA, name: value })).toBe('Your name has characters that cannot be shown');
      expect(rejection({ ...ADA, text: value })).toBe('Your comment has characters that cannot be shown');
    },
  );

  it('rejects a name of several lines', () => {
    expect(rejection({ ...ADA, name: 'Ada\nKing' })).toBe('Your name must be a single line');
  });
});
