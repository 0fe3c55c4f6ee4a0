import type { Topic } from './topic.ts';

/**
 * The time of an update in microseconds, assigned by the broker: a safe integer that grows within a partition and is
 * never reused there. 0 is older than every version. The unit is part of the type: the compiler accepts plain numbers,
 * but no number of another unit, such as a flush position.
 */
export type Version = number & { readonly __unit?: 'version' };

/** What travels with an update besides its version. */
export interface UpdateBody {
  /** A full snapshot of the topic as any JSON value, never a delta: versions may be skipped. */
  readonly data?: unknown;
  /** Milliseconds over which clients should spread their refetch. */
  readonly spread?: number;
  /** W3C trace context of the publisher's request. */
  readonly traceparent?: string;
}

/** The newest state of a topic: a register that only grows. */
export interface Update extends UpdateBody {
  readonly topic: Topic;
  readonly version: Version;
}

/**
 * Merges two states of one register: the higher version wins. Commutative, associative and
 * idempotent as long as one version names one update, which the broker promises.
 */
export function merge<U extends { readonly version: Version }>(current: U | undefined, other: U): U {
  return current !== undefined && current.version >= other.version ? current : other;
}

/** Whether the value can be a version: an integer from 0 to 2^53 - 1. */
export function isVersion(value: unknown): value is Version {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

const VERSION_PATTERN = /^(0|[1-9]\d{0,15})$/;

/** Reads a version from decimal text; undefined where it is none. */
export function parseVersion(text: string): Version | undefined {
  if (!VERSION_PATTERN.test(text)) return undefined;
  const value = Number(text);
  return isVersion(value) ? value : undefined;
}
