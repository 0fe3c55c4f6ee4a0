import { createHash, randomBytes } from 'node:crypto';
import { HttpReader, type ResponseSink } from './http-reader.ts';
import { type ConnectionOptions, RawConnection } from './raw-connection.ts';
import { closeFrame, FrameReader, type FrameSink, pongFrame } from './websocket-frames.ts';

/** The key of a handshake and the expected response (RFC 6455, section 4). */
export interface Handshake {
  readonly key: string;
  readonly accept: string;
}

/** Creates a handshake. Connections may share it: the key only proves that the server supports WebSocket. */
export function createHandshake(key: string = randomBytes(16).toString('base64')): Handshake {
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  return { key, accept };
}

const DRAIN = 1012;
const REBALANCING = 4503;

/** A WebSocket client, of `/ws` or of the legacy protocol at `/update_check`. */
export class WebsocketConnection extends RawConnection implements FrameSink {
  readonly #isLegacy: boolean;
  #request: string;
  #http: HttpReader | undefined = new HttpReader();
  readonly #frames = new FrameReader();
  readonly #handshake: Handshake;

  constructor(options: ConnectionOptions & { isLegacy: boolean; handshake: Handshake }) {
    super(options);
    const { target, path, handshake } = options;
    this.#isLegacy = options.isLegacy;
    this.#handshake = handshake;
    this.#request =
      `GET ${target.basePath}${path} HTTP/1.1\r\nHost: ${target.authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${handshake.key}\r\n\r\n`;
  }

  connected(): void {
    this.write(this.#request);
    this.#request = ''; // frees its memory
  }

  protected received(bytes: Buffer): void {
    const http = this.#http;
    if (http === undefined) {
      this.#frames.push(bytes, this);
      return;
    }
    http.push(bytes, this.#upgrade());
    if (this.#http !== undefined) return;
    // Usually with the response: a relay upgrades a connection before it redirects it.
    if (http.upgradedBytes.length > 0) this.#frames.push(http.upgradedBytes, this);
    if (!this.isEnded) this.owner.opened(this.client);
  }

  text(payload: Buffer): void {
    if (this.#isLegacy) this.owner.signalled(this.client);
    else this.owner.message(this.client, payload);
  }

  ping(payload: Buffer): void {
    this.write(pongFrame(payload));
  }

  closed(code: number, reason: string): void {
    this.write(closeFrame(code === 1005 ? 1000 : code));
    if (code === REBALANCING) {
      this.redirect();
      return;
    }
    const reconnectMs = code === DRAIN && /^\d{1,7}$/.test(reason) ? Number(reason) : undefined;
    this.end(`closed with ${code}`, reconnectMs);
  }

  override close(): void {
    if (this.#http === undefined) this.write(closeFrame(1001));
    super.close();
  }

  #upgrade(): ResponseSink {
    return {
      head: (status, headers) => {
        if (status !== 101) this.end(`HTTP ${status}`);
        else if (headers.get('sec-websocket-accept') !== this.#handshake.accept) this.end('not a WebSocket server');
        else this.#http = undefined;
      },
      body() {},
      complete() {},
    };
  }
}
