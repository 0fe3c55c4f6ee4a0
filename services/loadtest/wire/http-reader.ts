/** Receives the parts of HTTP responses. The bytes are only valid during the call. */
export interface ResponseSink {
  head(status: number, headers: ReadonlyMap<string, string>): void;
  body(bytes: Buffer): void;
  /** The response is complete. */
  complete(): void;
}

/** The server violated HTTP/1.1. */
export class HttpError extends Error {}

const MAX_HEAD_BYTES = 32 * 1024;
const HEAD_END = '\r\n\r\n';
const EMPTY: Buffer = Buffer.alloc(0);

/**
 * Incremental parser of the responses on one HTTP/1.1 connection (RFC 9112, section 6): with a content length, chunked,
 * or without a body. Accepts chunks of any size.
 */
export class HttpReader {
  #rest: Buffer = EMPTY;
  #state: 'head' | 'length' | 'size' | 'chunk' | 'trailer' | 'close' | 'upgraded' = 'head';
  #left = 0;

  /** The bytes after a 101 response, which belong to the upgraded protocol. */
  get upgradedBytes(): Buffer {
    return this.#rest;
  }

  /**
   * Parses the next bytes.
   * @throws {HttpError} if they are not a valid response
   */
  push(chunk: Buffer, sink: ResponseSink): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (bytes.length > 0) {
      const used = this.#step(bytes, sink);
      if (used === 0) break;
      bytes = bytes.subarray(used);
    }
    this.#rest = bytes.length === 0 ? EMPTY : Buffer.from(bytes);
  }

  /** Parses one part; returns the number of bytes consumed, or 0 if more are needed. */
  #step(bytes: Buffer, sink: ResponseSink): number {
    switch (this.#state) {
      case 'head':
        return this.#head(bytes, sink);
      case 'size':
        return this.#size(bytes);
      case 'length':
      case 'chunk':
        return this.#body(bytes, sink);
      case 'trailer':
        return this.#trailer(bytes, sink);
      case 'close':
        sink.body(bytes);
        return bytes.length;
      case 'upgraded':
        return 0;
    }
  }

  #head(bytes: Buffer, sink: ResponseSink): number {
    const end = bytes.indexOf(HEAD_END);
    if (end < 0) {
      if (bytes.length > MAX_HEAD_BYTES) throw new HttpError('the response head is too long');
      return 0;
    }
    const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
    const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1] ?? 0);
    if (status === 0) throw new HttpError('not an HTTP response');
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(':');
      if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    this.#begin(status, headers);
    sink.head(status, headers);
    if (this.#state === 'length' && this.#left === 0) this.#complete(sink);
    return end + HEAD_END.length;
  }

  #begin(status: number, headers: ReadonlyMap<string, string>): void {
    const length = headers.get('content-length');
    this.#left = 0;
    if (status === 101) this.#state = 'upgraded';
    else if (status === 204 || status === 304) this.#state = 'length';
    else if (/chunked/i.test(headers.get('transfer-encoding') ?? '')) this.#state = 'size';
    else if (length === undefined) this.#state = 'close';
    else {
      if (!/^\d{1,12}$/.test(length)) throw new HttpError('invalid content length');
      this.#state = 'length';
      this.#left = Number(length);
    }
  }

  #body(bytes: Buffer, sink: ResponseSink): number {
    const used = Math.min(this.#left, bytes.length);
    this.#left -= used;
    sink.body(bytes.subarray(0, used));
    if (this.#left > 0) return used;
    if (this.#state === 'length') this.#complete(sink);
    else this.#state = 'size';
    return used;
  }

  /** Parses the line before a chunk, and the empty line that ends the previous chunk. */
  #size(bytes: Buffer): number {
    const end = bytes.indexOf('\r\n');
    if (end < 0) {
      if (bytes.length > 1024) throw new HttpError('a chunk size is too long');
      return 0;
    }
    if (end === 0) return 2;
    const size = /^([0-9a-f]{1,8})(?:[;\s]|$)/i.exec(bytes.toString('latin1', 0, end))?.[1];
    if (size === undefined) throw new HttpError('invalid chunk size');
    this.#left = Number.parseInt(size, 16);
    this.#state = this.#left === 0 ? 'trailer' : 'chunk';
    return end + 2;
  }

  #trailer(bytes: Buffer, sink: ResponseSink): number {
    const end = bytes.indexOf('\r\n');
    if (end < 0) {
      if (bytes.length > MAX_HEAD_BYTES) throw new HttpError('the response trailer is too long');
      return 0;
    }
    if (end === 0) this.#complete(sink);
    return end + 2;
  }

  #complete(sink: ResponseSink): void {
    this.#state = 'head';
    sink.complete();
  }
}
