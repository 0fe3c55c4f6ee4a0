import type { Topic } from '../../shared/update/topic.ts';
import type { Dialect } from './dialect.ts';

/** The topic of uWebSockets.js by which all of a dialect are told; no topic of ours has a space. */
export function controlOf({ transport }: Dialect): string {
  return `${transport} `;
}

/** The topic of uWebSockets.js for those of a dialect who listen to one of ours. */
export function channelOf({ transport }: Dialect, topic: Topic): string {
  return `${transport} ${topic}`;
}
