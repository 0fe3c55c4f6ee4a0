import { connect as connectTcp, type Socket, type SocketConstructorOpts, type TcpNetConnectOpts } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Target } from './target.ts';

/** Receives the events of connections. `client` is the number that the owner gave the connection. */
export interface ConnectionOwner {
  opened(client: number): void;
  /** A message of the relay arrived; the bytes are only valid during the call. */
  message(client: number, payload: Buffer): void;
  /** A signal of the legacy protocol arrived, which names neither topic nor version. */
  signalled(client: number): void;
  /** The connection ended, the last event. `reconnectMs` is the delay that the relay asked for. */
  disconnected(client: number, reason: string, reconnectMs?: number): void;
  /** The relay holds more than its share of connections and refused this one, which ended: the last event. */
  redirected(client: number): void;
}

/** The options of every kind of connection. */
export interface ConnectionOptions {
  readonly client: number;
  readonly owner: ConnectionOwner;
  readonly target: Target;
  /** The local address; undefined lets the system choose. */
  readonly sourceAddress: string | undefined;
  /** The requested path, relative to the base path of the target. */
  readonly path: string;
  /** Shared by all connections of a process, which read one after the other. */
  readonly readBuffer: Buffer;
}

type OwnedSocket = Socket & { owner: RawConnection };

function onConnect(this: Socket): void {
  (this as OwnedSocket).owner.connected();
}
function onError(this: Socket, error: NodeJS.ErrnoException): void {
  (this as OwnedSocket).owner.end(error.code ?? error.message);
}
function onClose(this: Socket): void {
  (this as OwnedSocket).owner.end('connection closed');
}

/** A TCP connection with as little overhead as Node allows: a process holds up to 20,000 of them. */
export abstract class RawConnection {
  readonly client: number;
  protected readonly owner: ConnectionOwner;
  readonly #socket: Socket;
  #ended = false;

  constructor(options: ConnectionOptions) {
    this.client = options.client;
    this.owner = options.owner;
    const { target, sourceAddress, readBuffer } = options;
    const { host, port, serverName } = target;
    const connectOptions: TcpNetConnectOpts & SocketConstructorOpts = {
      host,
      port,
      ...(sourceAddress === undefined ? {} : { localAddress: sourceAddress }),
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (size: number) => {
          this.#read(readBuffer.subarray(0, size));
          return true;
        },
      },
    };
    const socket = target.isTls
      ? connectTls({ ...connectOptions, ...(serverName === undefined ? {} : { servername: serverName }) })
      : connectTcp(connectOptions);
    (socket as OwnedSocket).owner = this;
    socket.on(target.isTls ? 'secureConnect' : 'connect', onConnect);
    socket.on('error', onError);
    socket.on('close', onClose);
    this.#socket = socket;
  }

  /** Sends the request once the TCP (or TLS) connection is established. */
  abstract connected(): void;
  protected abstract received(bytes: Buffer): void;

  /** Stops reading, like a client on a sleeping machine. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Closes the connection without waiting for the relay; the owner gets no more events. */
  close(): void {
    this.#ended = true;
    this.#socket.destroySoon();
  }

  /** Destroys the connection and notifies the owner, once. */
  end(reason: string, reconnectMs?: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.destroy();
    this.owner.disconnected(this.client, reason, reconnectMs);
  }

  /** Destroys the connection, which the relay refused with `rebalancing`, and notifies the owner, once. */
  protected redirect(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.destroy();
    this.owner.redirected(this.client);
  }

  protected get isEnded(): boolean {
    return this.#ended;
  }

  protected write(bytes: Buffer | string): void {
    if (!this.#ended) this.#socket.write(bytes);
  }

  #read(bytes: Buffer): void {
    if (this.#ended) return;
    try {
      this.received(bytes);
    } catch (error) {
      this.end(error instanceof Error ? error.message : String(error));
    }
  }
}
