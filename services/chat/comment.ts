import { AppError } from '../shared/errors.ts';

export const MAX_NAME_LENGTH = 40;
export const MAX_TEXT_LENGTH = 1000;

/** What somebody wants to say. */
export interface NewComment {
  readonly name: string;
  readonly text: string;
}

/** What somebody has said. */
export interface Comment extends NewComment {
  /** The time it was saved, in microseconds since 1970, made unique: later comments have greater ids. */
  readonly id: number;
}

/** The newest comments that somebody has not seen, newest first. */
export interface News {
  readonly comments: readonly Comment[];
  /** Whether these are all: older ones are left out where there are too many. */
  readonly complete: boolean;
}

/**
 * Reads a comment of outside: what is around name and text goes, and lines end as they should. Throws
 * `invalid_comment` with words for who wrote it.
 */
export function parseComment(fields: { readonly name?: unknown; readonly text?: unknown }): NewComment {
  const name = parseField('Your name', fields.name, MAX_NAME_LENGTH);
  const text = parseField('Your comment', fields.text, MAX_TEXT_LENGTH);
  if (/\n/.test(name)) throw new AppError('invalid_comment', 'Your name must be a single line');
  return { name, text };
}

function parseField(what: string, value: unknown, maxLength: number): string {
  if (typeof value !== 'string') throw new AppError('invalid_comment', `${what} is missing`);
  const text = value.replace(/\r\n?/g, '\n').trim();
  // Something must be there to be seen: neither spaces nor invisible characters nor lone accents count.
  if (!/[^\p{C}\p{Z}\p{M}]/u.test(text)) throw new AppError('invalid_comment', `${what} is empty`);
  if (text.length > maxLength) throw new AppError('invalid_comment', `${what} has more than ${maxLength} characters`);
  // Control characters but for tabs and line ends, and halves of characters.
  if (/[^\P{Cc}\t\n]|\p{Cs}/u.test(text)) {
    throw new AppError('invalid_comment', `${what} has characters that cannot be shown`);
  }
  return text;
}
