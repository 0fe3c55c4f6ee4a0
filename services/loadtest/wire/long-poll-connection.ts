import { HttpReader, type ResponseSink } from './http-reader.ts';
import { type ConnectionOptions, RawConnection } from './raw-connection.ts';

const WAIT_S = 25;
const RETRY_MS = 1000;

/** A client that asks for a topic again and again, each time until it changes, on one connection. */
export class TopicConnection extends RawConnection implements ResponseSink {
  readonly #head: string;
  readonly #http = new HttpReader();
  #etag: string | undefined;
  #status = 0;
  #body: Buffer[] = [];
  #isOpen = false;
  #retry: NodeJS.Timeout | undefined;

  /** `since` is the version that the client has; without one it takes what is there. */
  constructor(options: ConnectionOptions & { since: number | undefined }) {
    super(options);
    const { target, path, since } = options;
    this.#head = `GET ${target.basePath}${path} HTTP/1.1\r\nHost: ${target.authority}\r\n`;
    this.#etag = since === undefined ? undefined : `"${since}"`;
  }

  connected(): void {
    const wait = this.#etag === undefined ? '' : `If-None-Match: ${this.#etag}\r\nPrefer: wait=${WAIT_S}\r\n`;
    this.write(`${this.#head}${wait}\r\n`);
    if (this.#etag === undefined || this.#isOpen) return;
    // Whoever waits is answered late: it counts from its request.
    this.#isOpen = true;
    this.owner.opened(this.client);
  }

  protected received(bytes: Buffer): void {
    this.#http.push(bytes, this);
  }

  head(status: number, headers: ReadonlyMap<string, string>): void {
    this.#status = status;
    const mayPass = status === 200 || status === 304 || (status === 503 && this.#isOpen); // 503: not fresh for a while
    if (mayPass) this.#etag = headers.get('etag') ?? this.#etag;
    else this.end(`refused with ${status}`);
  }

  body(bytes: Buffer): void {
    this.#body.push(Buffer.from(bytes));
  }

  complete(): void {
    if (this.isEnded) return;
    const body = Buffer.concat(this.#body);
    this.#body = [];
    if (this.#status === 503) {
      this.#retry = setTimeout(() => this.connected(), RETRY_MS);
      return;
    }
    if (!this.#isOpen) {
      this.#isOpen = true;
      this.owner.opened(this.client);
    }
    if (this.#status === 200) this.owner.message(this.client, body);
    this.connected();
  }

  override end(reason: string, comeBackMs?: number): void {
    clearTimeout(this.#retry);
    super.end(reason, comeBackMs);
  }

  override close(): void {
    clearTimeout(this.#retry);
    super.close();
  }
}
