/** A request to which the test responds. */
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
    outcome: { resolve: (response: Response) => void; reject: (error: Error) => void },
  ) {
    this.url = new URL(url);
    this.headers = new Headers(init.headers);
    this.signal = init.signal ?? undefined;
    this.#resolve = outcome.resolve;
    this.#reject = outcome.reject;
    this.signal?.addEventListener('abort', () => this.fail());
  }

  get isAborted(): boolean {
    return this.signal?.aborted ?? false;
  }

  /** Responds with a status and a body: JSON, or a string as it is. */
  answer(status: number, body?: unknown): void {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    this.#resolve(new Response(status === 304 ? null : text, { status }));
  }

  /** Responds with a stream. */
  stream(): void {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#stream = controller;
      },
    });
    this.#resolve(new Response(body));
  }

  /** Sends a chunk of the stream. */
  send(bytes: string | Uint8Array): void {
    this.#stream?.enqueue(typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes);
  }

  /** Ends the stream normally. */
  end(): void {
    this.#stream?.close();
  }

  /** Fails as a network error does. */
  fail(): void {
    const error = new TypeError('fetch failed');
    this.#reject(error);
    try {
      this.#stream?.error(error);
    } catch {
      // The stream has ended already.
    }
  }
}

/** A replacement of `fetch` that records all requests, newest last. */
export class FakeFetch {
  readonly requests: FakeRequest[] = [];

  readonly fetch = (url: string, init: RequestInit = {}): Promise<Response> =>
    new Promise((resolve, reject) => {
      this.requests.push(new FakeRequest(url, init, { resolve, reject }));
    });

  get last(): FakeRequest {
    const last = this.requests.at(-1);
    if (!last) throw new Error('there is no request yet');
    return last;
  }

  /** The requests that were not aborted. */
  get open(): FakeRequest[] {
    return this.requests.filter(({ isAborted }) => !isAborted);
  }
}
