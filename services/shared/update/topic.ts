import { AppError } from '../errors.ts';

/** The name of something that can change: 1 to 128 bytes of `A-Z a-z 0-9 . _ ~ : / -`. */
export type Topic = string & { readonly __brand: 'Topic' };

/** Matches the whole name. */
export const TOPIC_PATTERN = /^[A-Za-z0-9._~:/-]{1,128}$/;

/** Returns whether the value is a valid topic name. */
export function isTopic(value: unknown): value is Topic {
  return typeof value === 'string' && TOPIC_PATTERN.test(value);
}

/**
 * Returns the value as a topic.
 *
 * @throws {AppError} invalid_topic
 */
export function parseTopic(value: unknown): Topic {
  if (isTopic(value)) return value;
  throw new AppError('invalid_topic');
}
