import type { ClientLine, Entrance } from './entrance.ts';

/** What comes of an answer, piece by piece: real streams take their own time, and no run would be like another. */
class SimulatedBody {
  #pieces: string[] = [];
  #end: { readonly error?: unknown } | undefined;
  #wake = () => {};

  push(text: string): void {
    this.#pieces.push(text);
    this.#wake();
  }

  /** There is nothing more, since all has come or something broke. */
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

/** As much of a `Response` as the client library uses. */
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

/** Creates a function like the browser's `fetch`, for the client library, on simulated lines. */
export function createSimulatedFetch(deps: {
  entrance: Entrance;
  /** A request is made. */
  opened(line: ClientLine): void;
  /** It has its answer, or never gets one. */
  ended(line: ClientLine): void;
}): typeof fetch {
  return (input, { signal, headers } = {}) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const body = new SimulatedBody();
      const lowered = Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]);
      const line = deps.entrance.request(new URL(String(input)), Object.fromEntries(lowered), {
        head: (status) => resolve(createResponse(status, body)),
        chunk: (text) => body.push(text),
        closed: (code) => end(code === 1000 ? {} : { error: new TypeError('the line is over') }),
      });
      const abort = () => {
        line.hangUp(1001);
        end({ error: signal?.reason });
      };
      function end(how: { readonly error?: unknown }): void {
        signal?.removeEventListener('abort', abort);
        deps.ended(line);
        body.end(how);
        reject(how.error); // without effect where there was a head
      }
      signal?.addEventListener('abort', abort);
      deps.opened(line);
    });
}
