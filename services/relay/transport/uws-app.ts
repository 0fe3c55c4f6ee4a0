import type { HttpResponse, TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import { createRequire } from 'node:module';
import { listenError, StartError } from '../../shared/start-error.ts';
import { serveProblem } from './http/uws-response.ts';
import type { TlsFiles } from './transport.ts';

type Uws = typeof import('uWebSockets.js');

/** The public server of a relay. Transports add their paths to `app`. */
export class UwsApp {
  readonly app: TemplatedApp;
  readonly #uws: Uws;
  #sockets = 0;
  #listening: us_listen_socket | undefined;

  /**
   * @param deps.maxSockets 0 for no limit
   * @param deps.refused called for each socket over the limit, which is closed before its first request
   * @throws {StartError} if uWebSockets.js cannot be loaded, or the TLS files are invalid
   */
  constructor(deps: { tls: TlsFiles | undefined; maxSockets: number; refused: () => void }) {
    const { tls, maxSockets, refused } = deps;
    this.#uws = loadUws();
    this.app = this.#createApp(tls);
    const count = (res: HttpResponse, difference: number): void => {
      this.#sockets += difference;
      if (difference < 0 || maxSockets === 0 || this.#sockets <= maxSockets) return;
      refused();
      res.close();
    };
    this.app.filter((res, difference) => count(res, Number(difference)));
  }

  /** Open sockets: clients, and connections without an accepted request. */
  get sockets(): number {
    return this.#sockets;
  }

  /** Must be called for each closed WebSocket: the filter of uWebSockets.js reports its socket when it opens, but not when it closes. */
  webSocketClosed(): void {
    this.#sockets -= 1;
  }

  #createApp(tls: TlsFiles | undefined): TemplatedApp {
    // Not in the types: leaves the version of uWebSockets.js out of every response.
    (this.#uws as unknown as { _cfg(name: string): void })._cfg('silent');
    if (!tls) return this.#uws.App();
    try {
      return this.#uws.SSLApp({ cert_file_name: tls.certFile, key_file_name: tls.keyFile });
    } catch (cause) {
      throw new StartError('TLS_CERT_FILE and TLS_KEY_FILE must hold a certificate and its private key', { cause });
    }
  }

  /**
   * Starts to listen and resolves with the port, which the system chooses for port 0. Call it after all paths were added.
   * @param options.shared whether other processes may listen on the same port
   * @throws {StartError} if the address is in use
   */
  listen({ host, port, shared }: { host: string; port: number; shared: boolean }): Promise<number> {
    // Matches last: paths that no transport serves.
    serveProblem(this.app, '/*', 'not_found');
    const { LIBUS_LISTEN_EXCLUSIVE_PORT } = this.#uws as unknown as { LIBUS_LISTEN_EXCLUSIVE_PORT: number };
    return new Promise((resolve, reject) => {
      const listening = (socket: us_listen_socket | false) => {
        if (!socket)
          return reject(listenError(Object.assign(new Error('listen'), { code: 'EADDRINUSE' }), { host, port }));
        this.#listening = socket;
        resolve(this.#uws.us_socket_local_port(socket));
      };
      // Not in the types: a host together with options.
      (this.app.listen as (...args: unknown[]) => void).call(
        this.app,
        host,
        port,
        shared ? 0 : LIBUS_LISTEN_EXCLUSIVE_PORT,
        listening,
      );
    });
  }

  /** Accepts no new connections; open ones stay open. */
  stopListening(): void {
    if (this.#listening) this.#uws.us_listen_socket_close(this.#listening);
    this.#listening = undefined;
  }

  /** Closes all open connections. */
  close(): void {
    this.#listening = undefined;
    this.app.close();
  }
}

function loadUws(): Uws {
  try {
    return createRequire(import.meta.url)('uWebSockets.js') as Uws;
  } catch (cause) {
    throw new StartError(
      `the native part of uWebSockets.js cannot be loaded on ${process.platform}-${process.arch} with Node ${process.version}: ` +
        'see "uWebSockets.js" in the README',
      { cause },
    );
  }
}
