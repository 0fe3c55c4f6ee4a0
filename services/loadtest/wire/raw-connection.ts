import { connect as connectTcp, type Socket, type SocketConstructorOpts, type TcpNetConnectOpts } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Target } from './target.ts';

/** What a connection tells its owner. `client` is the owner's number for it. */
export interface ConnectionOwner {
  opened(client: number): void;
  /** A message of the relay; the bytes are only valid during the call. */
  message(client: number, payload: Buffer): void;
  /** The frame of 2009, which says nothing but that something is new. */
  updated(client: number): void;
  /** The last word of a connection: why it is gone, and when the relay wants it back, in milliseconds. */
  ended(client: number, reason: string, comeBackMs?: number): void;
}

/** What every kind of connection is made from. */
export interface ConnectionOptions {
  readonly client: number;
  readonly owner: ConnectionOwner;
  readonly target: Target;
  /** Where the connection comes from; undefined lets the system choose. */
  readonly sourceAddress: string | undefined;
  /** What it asks for, below the target's own path. */
  readonly path: string;
  /** All connections of a process read into it, one after the other. */
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
  (this as OwnedSocket).owner.end('closed without a word');
}

/** A TCP connection that costs as little as Node allows: there may be twenty thousand of them in a process. */
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

  /** The line stands: asks for what it wants. */
  abstract connected(): void;
  protected abstract received(bytes: Buffer): void;

  /** Takes nothing from now on, as a client does whose machine sleeps. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Goes away without waiting for an answer; its owner hears nothing of it any more. */
  close(): void {
    this.#ended = true;
    this.#socket.destroySoon();
  }

  /** Cuts the line where it still stands, and says so to its owner, once. */
  end(reason: string, comeBackMs?: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.destroy();
    this.owner.ended(this.client, reason, comeBackMs);
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
