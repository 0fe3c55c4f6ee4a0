import type { ClientConnection, LoadBalancer } from './load-balancer.ts';

/** A response body that is read in chunks. Real streams are not deterministic. */
class SimulatedBody {
  #pieces: string[] = [];
  #end: { readonly error?: unknown } | undefined;
  #wake = () => {};

  push(text: string): void {
    this.#pieces.push(text);
    this.#wake();
  }

  /** Ends the body, with or without an error. */
  end(end: { readonly error?: unknown }): void {
    this.#end ??= end;
    this.#wake();
  }

  async read(): Promise<{ value: string; done: boolean }> {
    for (;;) {
      const value = this.#pieces.shift();
      if (value !== undefined) return { value, done: false };
      if (this.#end?.error !== undefined) throw this.#end.error;
      if (this.#end) return { value: '', done: true };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async text(): Promise<string> {
    let text = '';
    for (;;) {
      const { value, done } = await this.read();
      if (done) return text;
      text += value;
    }
  }
}

/** Creates the part of a `Response` that the client library uses. */
function createResponse(status: number, body: SimulatedBody): Response {
  const reader = { read: () => body.read() };
  const response = {
    ok: status >= 200 && status < 300,
    status,
    body: { pipeThrough: () => ({ getReader: () => reader }) },
    json: async () => JSON.parse(await body.text()),
  };
  return response as unknown as Response;
}

/** Creates a `fetch` for the client library, on simulated connections. */
export function createSimulatedFetch(deps: {
  loadBalancer: LoadBalancer;
  /** A request was sent. */
  opened(connection: ClientConnection): void;
  /** Its response is complete, or it failed. */
  ended(connection: ClientConnection): void;
}): typeof fetch {
  return (input, { signal, headers } = {}) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const body = new SimulatedBody();
      const lowered = Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]);
      const connection = deps.loadBalancer.request(new URL(String(input)), Object.fromEntries(lowered), {
        head: (status) => resolve(createResponse(status, body)),
        chunk: (text) => body.push(text),
        closed: (code) => end(code === 1000 ? {} : { error: new TypeError('the connection was closed') }),
      });
      const abort = () => {
        connection.close(1001);
        end({ error: signal?.reason });
      };
      function end(how: { readonly error?: unknown }): void {
        signal?.removeEventListener('abort', abort);
        deps.ended(connection);
        body.end(how);
        reject(how.error); // without effect after the headers
      }
      signal?.addEventListener('abort', abort);
      deps.opened(connection);
    });
}
