/** A request that a test answers. */
export class FakeRequest {
  readonly url: URL;
  readonly headers: Headers;
  readonly signal: AbortSignal | undefined;
  readonly #resolve: (response: Response) => void;
  readonly #reject: (error: Error) => void;
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(
    url: string,
    init: RequestInit,
    settle: { resolve: (response: Response) => void; reject: (error: Error) => void },
  ) {
    this.url = new URL(url);
    this.headers = new Headers(init.headers);
    this.signal = init.signal ?? undefined;
    this.#resolve = settle.resolve;
    this.#reject = settle.reject;
    this.signal?.addEventListener('abort', () => this.fail());
  }

  get isAborted(): boolean {
    return this.signal?.aborted ?? false;
  }

  /** Answers with a status and JSON, or with text as it is. */
  answer(status: number, body?: unknown): void {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    this.#resolve(new Response(status === 304 ? null : text, { status }));
  }

  /** Begins to answer with a stream. */
  stream(): void {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#stream = controller;
      },
    });
    this.#resolve(new Response(body));
  }

  /** Sends more of the stream. */
  send(bytes: string | Uint8Array): void {
    this.#stream?.enqueue(typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes);
  }

  /** Ends the stream in order. */
  end(): void {
    this.#stream?.close();
  }

  /** Fails as a network does. */
  fail(): void {
    const error = new TypeError('fetch failed');
    this.#reject(error);
    try {
      this.#stream?.error(error);
    } catch {
      // It has ended already.
    }
  }
}

/** What stands in for `fetch`, with all requests, newest last. */
export class FakeFetch {
  readonly requests: FakeRequest[] = [];

  readonly fetch = (url: string, init: RequestInit = {}): Promise<Response> =>
    new Promise((resolve, reject) => {
      this.requests.push(new FakeRequest(url, init, { resolve, reject }));
    });

  get last(): FakeRequest {
    const last = this.requests.at(-1);
    if (!last) throw new Error('nothing was asked for yet');
    return last;
  }

  /** Those that wait for an answer or are being answered, as long as nobody has given them up. */
  get open(): FakeRequest[] {
    return this.requests.filter(({ isAborted }) => !isAborted);
  }
}
