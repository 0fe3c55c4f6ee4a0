import { InvalidArgumentError } from 'commander';
import { isToken, TOKEN_RULE } from '../shared/config/env-reader.ts';
import { parseDurationMs } from '../shared/config/units.ts';
import { isTopic, type Topic } from '../shared/update/topic.ts';

/** Parses a topic, and adds it to those that were given before. */
export function parseTopicArgument(text: string, previous: readonly Topic[] = []): readonly Topic[] {
  if (!isTopic(text)) throw new InvalidArgumentError('It must have 1 to 128 bytes of A-Z a-z 0-9 . _ ~ : / -');
  return [...previous, text];
}

/** Parses the address of a service. */
export function parseUrlArgument(text: string): string {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) {
    throw new InvalidArgumentError('It must be a URL that starts with http:// or https://');
  }
  return text;
}

/** Parses a bearer token of a webhook. */
export function parseTokenArgument(text: string): string {
  if (!isToken(text)) throw new InvalidArgumentError(`It must have ${TOKEN_RULE}`);
  return text;
}

/** Returns a parser of durations from `minMs` to `maxMs`. */
export function durationArgument(minMs: number, maxMs: number): (text: string) => number {
  return (text) => {
    const ms = parseDurationMs(text);
    if (ms === undefined) throw new InvalidArgumentError('It must be a duration such as 500ms, 4s, 2m or 1h');
    if (ms < minMs || ms > maxMs) throw new InvalidArgumentError(`It must be from ${minMs}ms to ${maxMs}ms`);
    return ms;
  };
}

/** Parses a port; 0 lets the system choose. */
export function parsePortArgument(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new InvalidArgumentError('It must be a port from 0 to 65535');
  return Number(text);
}

/** Parses a count from 1 on. */
export function parseCountArgument(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1 on');
  return Number(text);
}
