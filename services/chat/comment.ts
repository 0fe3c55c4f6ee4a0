import { AppError } from '../shared/errors.ts';

/** Longest name, in UTF-16 code units. */
export const MAX_NAME_LENGTH = 40;
/** Longest text, in UTF-16 code units. */
export const MAX_TEXT_LENGTH = 1000;

/** A comment that is not saved yet. */
export interface CommentDraft {
  readonly name: string;
  readonly text: string;
}

/** A saved comment. */
export interface Comment extends CommentDraft {
  /** Time of saving in microseconds since 1970, made unique: later comments have greater ids. */
  readonly id: number;
}

/** The newest comments after a given one, newest first. */
export interface CommentBatch {
  readonly comments: readonly Comment[];
  /** False if older ones were left out because there are too many. */
  readonly complete: boolean;
}

/**
 * Validates and normalizes a comment: trims name and text, and converts line ends to `\n`.
 *
 * @throws {AppError} invalid_comment, with a message for its author
 */
export function parseComment(fields: { readonly name?: unknown; readonly text?: unknown }): CommentDraft {
  const name = parseField('Your name', fields.name, MAX_NAME_LENGTH);
  const text = parseField('Your comment', fields.text, MAX_TEXT_LENGTH);
  if (/\n/.test(name)) throw new AppError('invalid_comment', 'Your name must be a single line');
  return { name, text };
}

function parseField(label: string, value: unknown, maxLength: number): string {
  if (typeof value !== 'string') throw new AppError('invalid_comment', `${label} is missing`);
  const text = value.replace(/\r\n?/g, '\n').trim();
  // At least one visible character: spaces, invisible characters and combining accents do not count.
  if (!/[^\p{C}\p{Z}\p{M}]/u.test(text)) throw new AppError('invalid_comment', `${label} is empty`);
  if (text.length > maxLength) throw new AppError('invalid_comment', `${label} has more than ${maxLength} characters`);
  // Control characters other than tab and line end, and unpaired surrogates.
  if (/[^\P{Cc}\t\n]|\p{Cs}/u.test(text)) {
    throw new AppError('invalid_comment', `${label} has characters that cannot be shown`);
  }
  return text;
}
