import { HttpReader, type ResponseSink } from './http-reader.ts';
import { type ConnectionOptions, RawConnection } from './raw-connection.ts';
import { EventReader } from './sse-reader.ts';

/** A stream of Server-Sent Events. */
export class EventsConnection extends RawConnection implements ResponseSink {
  readonly #request: string;
  readonly #http = new HttpReader();
  readonly #events = new EventReader();

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

  head(status: number): void {
    if (status === 200) this.owner.opened(this.client);
    else this.end(`refused with ${status}`);
  }

  body(bytes: Buffer): void {
    this.#events.push(bytes, ({ data }) => this.owner.message(this.client, Buffer.from(data)));
  }

  /** A relay that goes away ends its streams; `retry:` is within a second then. */
  complete(): void {
    this.end('the stream has ended', 1000);
  }
}
