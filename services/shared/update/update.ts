import type { JsonText } from './json-text.ts';
import type { Topic } from './topic.ts';

/**
 * The time of an update in microseconds, assigned by the broker: a safe integer that grows within a partition and is
 * never reused there. 0 is older than every version. The unit is part of the type: the compiler accepts plain numbers,
 * but no number of another unit, such as a flush position.
 */
export type Version = number & { readonly __unit?: 'version' };

/** The content of an update besides its topic and version. */
export interface UpdateBody {
  /** A full snapshot of the topic as any JSON value, never a delta: versions may be skipped. */
  readonly data?: JsonText;
  /** Milliseconds over which clients should spread their refetch. */
  readonly spread?: number;
  /** W3C trace context of the publisher's call. */
  readonly traceparent?: string;
}

/** The newest state of a topic: the value of its register. */
export interface Update extends UpdateBody {
  readonly topic: Topic;
  readonly version: Version;
}

/**
 * Merges two states of one register: the higher version wins. Commutative, associative and idempotent, because the broker
 * never gives two updates of a topic the same version.
 */
export function merge<U extends { readonly version: Version }>(current: U | undefined, other: U): U {
  return current !== undefined && current.version >= other.version ? current : other;
}

/** Returns whether the value can be a version: an integer from 0 to 2^53 - 1. */
export function isVersion(value: unknown): value is Version {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

const VERSION_PATTERN = /^(0|[1-9]\d{0,15})$/;

/** Parses a version from decimal text; undefined if it is invalid. */
export function parseVersion(text: string): Version | undefined {
  if (!VERSION_PATTERN.test(text)) return undefined;
  const value = Number(text);
  return isVersion(value) ? value : undefined;
}
