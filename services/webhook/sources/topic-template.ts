import { AppError } from '../../shared/errors.ts';
import { isTopic, type Topic } from '../../shared/update/topic.ts';

/** A topic with placeholders, such as `repo/{repository.full_name}`. */
export interface TopicTemplate {
  /** The text before the first placeholder; the whole topic if there is none. */
  readonly prefix: string;
  readonly hasPlaceholders: boolean;
  /**
   * Replaces the placeholders by members of an event.
   *
   * @throws {AppError} unmatched_event, with the reason
   */
  fill(event: unknown): Topic;
}

/** A name in braces: members separated by dots, and numbers for the items of lists. */
const PLACEHOLDER = /\{([^{}.]+(?:\.[^{}.]+)*)\}/g;

/** Characters of a value that an error repeats. */
const MAX_SHOWN_LENGTH = 200;

/** Parses a template; undefined if it is invalid. */
export function parseTopicTemplate(text: unknown): TopicTemplate | undefined {
  if (typeof text !== 'string' || !isTopic(text.replace(PLACEHOLDER, 'x'))) return undefined;
  const prefix = text.split('{', 1)[0] ?? '';
  return {
    prefix,
    hasPlaceholders: prefix !== text,
    fill(event) {
      const topic = text.replace(PLACEHOLDER, (_, path: string) => valueAt(event, path));
      if (isTopic(topic)) return topic;
      const shown = JSON.stringify(topic.slice(0, MAX_SHOWN_LENGTH));
      throw new AppError('unmatched_event', `The template "${text}" gives ${shown}, which cannot be a topic`);
    },
  };
}

function valueAt(event: unknown, path: string): string {
  let value = event;
  for (const name of path.split('.')) {
    value =
      typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
  }
  if (typeof value === 'string' && value !== '') return value;
  if (typeof value === 'boolean' || (typeof value === 'number' && isExact(value))) return String(value);
  throw new AppError('unmatched_event', `The topic needs "${path}" of the event, which is ${describe(value)}`);
}

/** Returns whether a number of JSON is still the one that was sent. */
function isExact(value: number): boolean {
  return Number.isSafeInteger(value) || !Number.isInteger(value);
}

function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === '') return 'empty';
  if (value === null) return 'null';
  if (typeof value === 'number') return 'a number of too many digits';
  return Array.isArray(value) ? 'a list' : 'an object';
}
