/** The response header of an app that names the versions of its content, such as `chat=1790000000000002;previous=1790000000000001`. */
export const VERSION_HEADER = 'Heliograph-Version';

/** The version of a topic that a response has, and for a response to a write the version before. */
export interface TopicVersion {
  readonly topic: string;
  readonly version: number;
  /** A version with no update between it and `version`. */
  readonly previous?: number | undefined;
}

/** Formats the header's value. */
export function formatVersions(versions: readonly TopicVersion[]): string {
  return versions
    .map(
      ({ topic, version, previous }) => `${topic}=${version}${previous === undefined ? '' : `;previous=${previous}`}`,
    )
    .join(', ');
}

/** Parses the header's value. Returns nothing if the value is malformed, or no text. */
export function parseVersions(value: unknown): readonly TopicVersion[] {
  const versions: TopicVersion[] = [];
  for (const part of String(value).split(',')) {
    const [, topic, version, previous] = /^\s*([^\s=;]+)=(\d{1,16})(?:;\s*previous=(\d{1,16}))?\s*$/.exec(part) ?? [];
    if (!topic) return [];
    versions.push({ topic, version: Number(version), previous: previous ? Number(previous) : undefined });
  }
  return versions;
}
