import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { eventually } from './eventually.ts';

/** A received frame (RFC 6455, section 5.2). */
export interface RawFrame {
  readonly fin: boolean;
  readonly opcode: number;
  readonly masked: boolean;
  readonly payload: Buffer;
}

/** Options of a frame; the defaults make a valid one. */
export interface FrameOptions {
  readonly fin?: boolean;
  readonly rsv?: number;
  readonly opcode?: number;
  readonly masked?: boolean;
}

/** Returns a frame, valid or not. */
export function makeFrame(payload: string | Buffer, options: FrameOptions = {}): Buffer {
  const { fin = true, rsv = 0, opcode = 1, masked = true } = options;
  const bytes = Buffer.from(payload);
  const head: number[] = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const mask = masked ? 0x80 : 0;
  if (bytes.length < 126) head.push(mask | bytes.length);
  else if (bytes.length < 65_536) head.push(mask | 126, bytes.length >> 8, bytes.length & 255);
  else head.push(mask | 127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((shift) => (bytes.length >>> shift) & 255));
  if (!masked) return Buffer.concat([Buffer.from(head), bytes]);
  const key = randomBytes(4);
  return Buffer.concat([Buffer.from(head), key, bytes.map((byte, i) => byte ^ (key[i % 4] ?? 0))]);
}

/** Returns the text of an upgrade request. */
export function upgradeRequest(path: string, headers: readonly string[] = []): string {
  const usual = ['Host: relay', 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13'];
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
  return [`GET ${path} HTTP/1.1`, ...usual, key, ...headers, '', ''].join('\r\n');
}

/** A connection on which a test writes arbitrary bytes. */
export class RawWebSocket {
  readonly socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  isClosed = false;

  constructor(port: number) {
    this.socket = createConnection(port, '127.0.0.1');
    this.socket.on('data', (data) => {
      this.#received = Buffer.concat([this.#received, data]);
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.isClosed = true;
    });
  }

  /** Connects and upgrades. */
  static async open(port: number, path: string): Promise<RawWebSocket> {
    const raw = new RawWebSocket(port);
    await once(raw.socket, 'connect');
    raw.socket.write(upgradeRequest(path));
    await eventually(() => {
      if (!raw.response.startsWith('HTTP/1.1 101')) throw new Error(`not upgraded: ${raw.response}`);
    });
    return raw;
  }

  /** The head of the HTTP response; empty until it is complete. */
  get response(): string {
    const end = this.#received.indexOf('\r\n\r\n');
    return end < 0 ? '' : this.#received.subarray(0, end).toString('latin1');
  }

  /** The frames received after the response. */
  get frames(): RawFrame[] {
    const frames: RawFrame[] = [];
    let rest = this.#received.subarray(this.#received.indexOf('\r\n\r\n') + 4);
    while (rest.length >= 2) {
      const [first = 0, second = 0] = rest;
      const short = second & 0x7f;
      const head = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (rest.length < head) break;
      const length = short === 126 ? rest.readUInt16BE(2) : short === 127 ? Number(rest.readBigUInt64BE(2)) : short;
      if (rest.length < head + length) break;
      const payload = rest.subarray(head, head + length);
      frames.push({ fin: first >= 0x80, opcode: first & 0x0f, masked: second >= 0x80, payload });
      rest = rest.subarray(head + length);
    }
    return frames;
  }

  /** The payloads of all text frames. */
  get texts(): string[] {
    return this.frames.filter(({ opcode }) => opcode === 1).map(({ payload }) => payload.toString());
  }

  /** The code of the close frame; undefined until it is received. */
  get closeCode(): number | undefined {
    const payload = this.frames.find(({ opcode }) => opcode === 8)?.payload;
    return payload === undefined ? undefined : payload.length < 2 ? 1005 : payload.readUInt16BE(0);
  }

  write(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  destroy(): void {
    this.socket.destroy();
  }
}
