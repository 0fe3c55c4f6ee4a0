/** One event of a stream: its fields as they came, such as `event`, `data`, `id` and `retry`. */
export type StreamEvent = Readonly<Record<string, string>>;

/**
 * Reads Server-Sent Events out of pieces of text, however they are cut. A field that is repeated counts once,
 * the last one: relays write each on one line.
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
