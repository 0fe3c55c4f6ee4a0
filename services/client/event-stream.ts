/** The fields of one event, such as `event`, `data`, `id` and `retry`. */
export type StreamEvent = Readonly<Record<string, string>>;

/**
 * Creates a parser of Server-Sent Events. It accepts the text in chunks of any size and calls `event` for each event.
 * If a field is repeated, the last one counts: relays write each field on one line.
 */
export function createEventReader(event: (fields: StreamEvent) => void): (text: string) => void {
  let rest = '';
  return (text) => {
    const blocks = (rest + text).split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields: Record<string, string> = {};
      for (const [, name, value] of block.matchAll(/^(\w+): ?([^\r\n]*)/gm)) fields[name as string] = value as string;
      event(fields);
    }
  };
}
