import type { Topic } from '../../shared/update/topic.ts';

/** Most topics that are looked at: more would delay updates. */
const MAX_SCANNED = 50_000;

/** Topics that contain a text: those with the most subscribers. */
export interface TopicList {
  readonly topics: readonly { readonly topic: Topic; readonly subscribers: number; readonly version: number }[];
  /** Number of all that contain it, among those that were looked at. */
  readonly matching: number;
}

/**
 * Lists topics.
 *
 * @param counts the number of subscribers of each topic
 * @param versionOf returns the version of a topic's newest update; 0 if there is none
 */
export function listTopics(
  counts: Iterable<readonly [Topic, number]>,
  versionOf: (topic: Topic) => number,
  options: { readonly search: string; readonly limit: number },
): TopicList {
  const { search, limit } = options;
  let scanned = 0;
  let matching = 0;
  let top: (readonly [Topic, number])[] = [];
  const cut = () => {
    top = top.sort(([, one], [, other]) => other - one).slice(0, limit);
  };
  for (const entry of counts) {
    scanned += 1;
    if (scanned > MAX_SCANNED) break;
    if (!entry[0].includes(search)) continue;
    matching += 1;
    top.push(entry);
    if (top.length >= 2 * limit) cut();
  }
  cut();
  return { topics: top.map(([topic, subscribers]) => ({ topic, subscribers, version: versionOf(topic) })), matching };
}
