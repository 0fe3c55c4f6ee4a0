const MAX_EVENT_BYTES = 16 * 1024 * 1024;
const EMPTY: Buffer = Buffer.alloc(0);

/** A Server-Sent Event (HTML standard, section 9.2). */
export interface SseEvent {
  readonly name: string;
  readonly data: string;
}

/** Incremental parser of Server-Sent Events; accepts chunks of any size. */
export class SseReader {
  #rest: Buffer = EMPTY;

  /** Parses the next bytes. Throws an `Error` if an event exceeds 16 MiB. */
  push(chunk: Buffer, receive: (event: SseEvent) => void): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let end = bytes.indexOf('\n\n'); end >= 0; end = bytes.indexOf('\n\n')) {
      const event = parseEvent(bytes.toString('utf8', 0, end));
      if (event) receive(event);
      bytes = bytes.subarray(end + 2);
    }
    if (bytes.length > MAX_EVENT_BYTES) throw new Error('an event is too long');
    this.#rest = bytes.length === 0 ? EMPTY : Buffer.from(bytes);
  }
}

function parseEvent(text: string): SseEvent | undefined {
  let name = 'message';
  const data: string[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('event: ')) name = line.slice(7);
    else if (line.startsWith('data: ')) data.push(line.slice(6));
  }
  return data.length === 0 ? undefined : { name, data: data.join('\n') };
}
