import type { HttpResponse, TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import { createRequire } from 'node:module';
import { probePort } from '../../shared/process/check-ports.ts';
import { listenError } from '../../shared/start-error.ts';
import { closeBehindProxies } from './close-behind-proxies.ts';
import type { App, Engine, EngineOptions } from './engine.ts';
import { TLS_CIPHERS, type TlsFiles, tlsError } from './tls-files.ts';

export type Uws = typeof import('uWebSockets.js');

/** The public server on uWebSockets.js: a native server, with a binary for each system and version of Node. */
export class UwsEngine implements Engine {
  readonly app: App;
  readonly #native: TemplatedApp;
  readonly #uws: Uws;
  #sockets = 0;
  #closesAfterResponses = false;
  #listening: us_listen_socket | undefined;

  /** @throws {StartError} if the TLS files are invalid */
  constructor(uws: Uws, { tls, maxSockets, refused }: EngineOptions) {
    this.#uws = uws;
    this.#native = this.#createApp(tls);
    this.app = this.#countWebSockets(this.#native);
    closeBehindProxies(this.app, () => this.#closesAfterResponses);
    const count = (res: HttpResponse, difference: number): void => {
      this.#sockets += difference;
      if (difference < 0 || maxSockets === 0 || this.#sockets <= maxSockets) return;
      refused();
      res.close();
    };
    this.#native.filter((res, difference) => count(res, Number(difference)));
  }

  get sockets(): number {
    return this.#sockets;
  }

  /** Counts closed WebSockets: the filter of uWebSockets.js reports their sockets when they open, but not when they close. */
  #countWebSockets(app: App): App {
    const add = app.ws.bind(app);
    app.ws = (path, behavior) =>
      add(path, {
        ...behavior,
        close: (ws, code, reason) => {
          this.#sockets -= 1;
          behavior.close?.(ws, code, reason);
        },
      });
    return app;
  }

  #createApp(tls: TlsFiles | undefined): TemplatedApp {
    // Not in the types: leaves the version of uWebSockets.js out of every response.
    (this.#uws as unknown as { _cfg(name: string): void })._cfg('silent');
    if (!tls) return this.#uws.App();
    try {
      return this.#uws.SSLApp({ cert_file_name: tls.certFile, key_file_name: tls.keyFile, ssl_ciphers: TLS_CIPHERS });
    } catch (cause) {
      throw tlsError(cause);
    }
  }

  listen({ host, port, shared }: { host: string; port: number; shared: boolean }): Promise<number> {
    const { LIBUS_LISTEN_EXCLUSIVE_PORT } = this.#uws as unknown as { LIBUS_LISTEN_EXCLUSIVE_PORT: number };
    return new Promise((resolve, reject) => {
      const listening = (socket: us_listen_socket | false) => {
        if (!socket) {
          // The library does not say why.
          const unknown = new Error('uWebSockets.js cannot listen on it');
          void probePort({ host, port }).then((error) => reject(listenError(error ?? unknown, { host, port })));
          return;
        }
        this.#listening = socket;
        resolve(this.#uws.us_socket_local_port(socket));
      };
      // Not in the types: a host together with options.
      (this.#native.listen as (...args: unknown[]) => void).call(
        this.#native,
        host,
        port,
        shared ? 0 : LIBUS_LISTEN_EXCLUSIVE_PORT,
        listening,
      );
    });
  }

  closeAfterResponses(): void {
    this.#closesAfterResponses = true;
  }

  stopListening(): void {
    if (this.#listening) this.#uws.us_listen_socket_close(this.#listening);
    this.#listening = undefined;
  }

  close(): void {
    this.#listening = undefined;
    this.#native.close();
  }
}

/** Loads uWebSockets.js. Throws if it has no binary for this system, this version of Node, or this C library. */
export function loadUws(): Uws {
  return createRequire(import.meta.url)('uWebSockets.js') as Uws;
}
