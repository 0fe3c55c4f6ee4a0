import { HttpReader, type ResponseSink } from '../../../services/loadtest/wire/http-reader.ts';
import { type ConnectionOptions, RawConnection } from '../../../services/loadtest/wire/raw-connection.ts';

/** A long-poll client of nchan, which names a message by `Last-Modified` and `ETag` together. */
export class NchanLongPollConnection extends RawConnection implements ResponseSink {
  readonly #head: string;
  readonly #http = new HttpReader();
  #position = '';
  #body: Buffer[] = [];

  constructor(options: ConnectionOptions) {
    super(options);
    this.#head = `GET ${options.path} HTTP/1.1\r\nHost: ${options.target.authority}\r\n`;
  }

  connected(): void {
    this.#request();
    this.owner.opened(this.client);
  }

  protected received(bytes: Buffer): void {
    this.#http.push(bytes, this);
  }

  head(status: number, headers: ReadonlyMap<string, string>): void {
    if (status !== 200) this.end(`HTTP ${status}`);
    this.#position = `If-Modified-Since: ${headers.get('last-modified')}\r\nIf-None-Match: ${headers.get('etag')}\r\n`;
  }

  body(bytes: Buffer): void {
    this.#body.push(Buffer.from(bytes));
  }

  complete(): void {
    if (this.isEnded) return;
    const body = Buffer.concat(this.#body);
    this.#body = [];
    this.owner.message(this.client, body);
    this.#request();
  }

  #request(): void {
    this.write(`${this.#head}${this.#position}\r\n`);
  }
}
