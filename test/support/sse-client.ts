/** An event of a stream. */
export interface SseEvent {
  readonly name: string;
  readonly data: string;
  readonly id: string | undefined;
}

/** A client of Server-Sent Events that records everything and does not reconnect. */
export class SseClient implements Disposable {
  readonly events: SseEvent[] = [];
  status = 0;
  headers = new Headers();
  /** The body of a response that is not a stream. */
  body = '';
  retryMs: number | undefined;
  lastEventId = '';
  ended = false;
  readonly #abort = new AbortController();
  #text = '';
  #mayRead = Promise.resolve();
  #resume = () => {};

  /** Connects; resolves with the response headers. */
  static async open(url: string, headers: Record<string, string> = {}): Promise<SseClient> {
    const client = new SseClient();
    const response = await fetch(url, { headers, signal: client.#abort.signal });
    client.status = response.status;
    client.headers = response.headers;
    const isStream = response.headers.get('content-type') === 'text/event-stream';
    void client
      .#read(response, isStream)
      .catch(() => {})
      .finally(() => {
        client.ended = true;
      });
    return client;
  }

  /** Returns the data of the events of this name, parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into what they expect
  ofType(name: string): any[] {
    return this.events.filter((event) => event.name === name).map(({ data }) => JSON.parse(data));
  }

  /** Stops reading, as a hung client does. */
  pause(): void {
    this.#mayRead = new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  resume(): void {
    this.#resume();
  }

  close(): void {
    this.#abort.abort();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #read(response: Response, isStream: boolean): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      await this.#mayRead;
      if (isStream) this.#take(decoder.decode(chunk, { stream: true }));
      else this.body += decoder.decode(chunk, { stream: true });
    }
  }

  #take(chunk: string): void {
    const blocks = (this.#text + chunk).split('\n\n');
    this.#text = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = new Map(block.split('\n').map((line) => line.split(/: ?(.*)/s, 2) as [string, string]));
      if (fields.has('retry')) this.retryMs = Number(fields.get('retry'));
      if (fields.has('id')) this.lastEventId = fields.get('id') ?? '';
      if (fields.has('data'))
        this.events.push({ name: fields.get('event') ?? '', data: fields.get('data') ?? '', id: fields.get('id') });
    }
  }
}
