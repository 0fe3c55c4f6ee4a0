import { HttpReader, type ResponseSink } from './http-reader.ts';
import { type ConnectionOptions, RawConnection } from './raw-connection.ts';

const WAIT_S = 25;
const RETRY_MS = 1000;

/** A long-poll client: repeats its request for a topic on one connection, each time waiting for a change. */
export class LongPollConnection extends RawConnection implements ResponseSink {
  readonly #head: string;
  readonly #http = new HttpReader();
  #etag: string | undefined;
  #status = 0;
  #body: Buffer[] = [];
  #isOpen = false;
  #retry: NodeJS.Timeout | undefined;

  /** `since` is the version that the client has; without one, the first response is the current state. */
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
    // A waiting request is answered only when the topic changes, so the client counts as connected from here.
    this.#isOpen = true;
    this.owner.opened(this.client);
  }

  protected received(bytes: Buffer): void {
    this.#http.push(bytes, this);
  }

  head(status: number, headers: ReadonlyMap<string, string>): void {
    this.#status = status;
    const isAccepted = status === 200 || status === 304 || (status === 503 && this.#isOpen); // 503: the relay is stale for a while
    if (isAccepted) this.#etag = headers.get('etag') ?? this.#etag;
    else this.end(`HTTP ${status}`);
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

  override end(reason: string, reconnectMs?: number): void {
    clearTimeout(this.#retry);
    super.end(reason, reconnectMs);
  }

  override close(): void {
    clearTimeout(this.#retry);
    super.close();
  }
}
