import { HttpReader, type ResponseSink } from './http-reader.ts';
import { type ConnectionOptions, RawConnection } from './raw-connection.ts';
import { SseReader } from './sse-reader.ts';

/** A client connected by Server-Sent Events. */
export class SseConnection extends RawConnection implements ResponseSink {
  readonly #request: string;
  readonly #http = new HttpReader();
  readonly #events = new SseReader();

  constructor(options: ConnectionOptions) {
    super(options);
    const { target, path } = options;
    this.#request = `GET ${target.basePath}${path} HTTP/1.1\r\nHost: ${target.authority}\r\nAccept: text/event-stream\r\n\r\n`;
  }

  connected(): void {
    this.write(this.#request);
  }

  protected received(bytes: Buffer): void {
    this.#http.push(bytes, this);
  }

  head(status: number, headers: ReadonlyMap<string, string>): void {
    if (status === 200) this.owner.opened(this.client);
    // Only `rebalancing` asks for another attempt at once.
    else if (status === 503 && headers.get('retry-after') === '0') this.redirect();
    else this.end(`HTTP ${status}`);
  }

  body(bytes: Buffer): void {
    this.#events.push(bytes, ({ data }) => this.owner.message(this.client, Buffer.from(data)));
  }

  /** A relay that drains ends its streams after a `retry:` of at most a second. */
  complete(): void {
    this.end('stream ended', 1000);
  }
}
