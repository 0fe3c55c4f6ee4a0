import type { HttpResponse, TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import { createRequire } from 'node:module';
import { listenError, StartError } from '../../shared/start-error.ts';
import { refuseOthers } from './http/uws-problem.ts';
import type { TlsFiles } from './transport.ts';

type Uws = typeof import('uWebSockets.js');

/** The public server of a relay, before transports add their paths. */
export class UwsApp {
  readonly app: TemplatedApp;
  readonly #uws: Uws;
  #sockets = 0;
  #listening: us_listen_socket | undefined;

  /** `refused` is called for each socket over the limit, which is closed before it says anything. 0 is no limit. */
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

  /** Open sockets: clients, and those that are none (yet). */
  get sockets(): number {
    return this.#sockets;
  }

  /** Tells that a WebSocket is gone: uWebSockets.js' filter sees its socket come as one of HTTP, but not go. */
  webSocketClosed(): void {
    this.#sockets -= 1;
  }

  #createApp(tls: TlsFiles | undefined): TemplatedApp {
    // The switch of uWebSockets.js for not telling its version in every answer; its types do not know it.
    (this.#uws as unknown as { _cfg(name: string): void })._cfg('silent');
    if (!tls) return this.#uws.App();
    try {
      return this.#uws.SSLApp({ cert_file_name: tls.certFile, key_file_name: tls.keyFile });
    } catch (cause) {
      throw new StartError('TLS_CERT_FILE and TLS_KEY_FILE hold no certificate and key that go together', { cause });
    }
  }

  /** Listens, alone on its port unless it is shared; resolves with the port, also where 0 was asked for. */
  listen({ host, port, shared }: { host: string; port: number; shared: boolean }): Promise<number> {
    // Answered last: what no transport has taken.
    refuseOthers(this.app, '/*', 'not_found');
    const { LIBUS_LISTEN_EXCLUSIVE_PORT } = this.#uws as unknown as { LIBUS_LISTEN_EXCLUSIVE_PORT: number };
    return new Promise((resolve, reject) => {
      const listening = (socket: us_listen_socket | false) => {
        if (!socket)
          return reject(listenError(Object.assign(new Error('listen'), { code: 'EADDRINUSE' }), { host, port }));
        this.#listening = socket;
        resolve(this.#uws.us_socket_local_port(socket));
      };
      // The types know no host together with options; the binary does.
      (this.app.listen as (...args: unknown[]) => void).call(
        this.app,
        host,
        port,
        shared ? 0 : LIBUS_LISTEN_EXCLUSIVE_PORT,
        listening,
      );
    });
  }

  /** Takes no new connections; the open ones stay. */
  stopListening(): void {
    if (this.#listening) this.#uws.us_listen_socket_close(this.#listening);
    this.#listening = undefined;
  }

  /** Cuts what is still open. */
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
