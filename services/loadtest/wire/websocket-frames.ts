/** Receives the content of frames. The bytes are only valid during the call. */
export interface FrameSink {
  text(payload: Buffer): void;
  ping(payload: Buffer): void;
  closed(code: number, reason: string): void;
}

/** The server violated RFC 6455. */
export class FrameError extends Error {}

const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024;
const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10];
/** The code of a close frame without one (RFC 6455, section 7.1.5). */
const NO_CODE = 1005;

/**
 * Incremental parser of server frames (RFC 6455, section 5.2); accepts chunks of any size and ignores binary messages
 * and pongs. Keeps no state between complete frames, because a process has thousands of parsers.
 */
export class FrameReader {
  /** The start of an incomplete frame. */
  #rest: Buffer | undefined;
  /** The payloads of a fragmented message. */
  #parts: Buffer[] | undefined;
  #partsBytes = 0;
  #isText = false;

  /**
   * Parses the next bytes.
   * @throws {FrameError} on a protocol violation
   */
  push(chunk: Buffer, sink: FrameSink): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (at < bytes.length) {
      const next = this.#read(bytes, at, sink);
      if (next === 0) break;
      at = next;
    }
    // Copied, because the buffer is reused for the next read.
    this.#rest = at === bytes.length ? undefined : Buffer.from(bytes.subarray(at));
  }

  /** Parses the frame that starts at `at`; returns its end, or 0 if it is incomplete. */
  #read(bytes: Buffer, at: number, sink: FrameSink): number {
    if (bytes.length - at < 2) return 0;
    const first = bytes[at] as number;
    const second = bytes[at + 1] as number;
    if ((first & 0x70) !== 0) throw new FrameError('a reserved bit is set');
    if (second >= 0x80) throw new FrameError('a server frame is masked');
    let length = second;
    let payloadAt = at + 2;
    if (length === 126) {
      if (bytes.length - at < 4) return 0;
      length = bytes.readUInt16BE(at + 2);
      payloadAt = at + 4;
    } else if (length === 127) {
      if (bytes.length - at < 10) return 0;
      length = Number(bytes.readBigUInt64BE(at + 2));
      payloadAt = at + 10;
    }
    if (length > MAX_PAYLOAD_BYTES) throw new FrameError('a frame is too long');
    const isLast = first >= 0x80;
    const opcode = first & 0x0f;
    if (opcode >= CLOSE && (!isLast || length > 125)) throw new FrameError('a control frame is too long or fragmented');
    const end = payloadAt + length;
    if (bytes.length < end) return 0;
    this.#frame(opcode, isLast, bytes.subarray(payloadAt, end), sink);
    return end;
  }

  #frame(opcode: number, isLast: boolean, payload: Buffer, sink: FrameSink): void {
    switch (opcode) {
      case TEXT:
      case BINARY:
        if (this.#parts) throw new FrameError('a message starts within another one');
        if (!isLast) {
          this.#isText = opcode === TEXT;
          this.#parts = [Buffer.from(payload)];
          this.#partsBytes = payload.length;
        } else if (opcode === TEXT) sink.text(payload);
        return;
      case CONTINUATION:
        this.#continue(isLast, payload, sink);
        return;
      case CLOSE:
        sink.closed(payload.length < 2 ? NO_CODE : payload.readUInt16BE(0), payload.subarray(2).toString());
        return;
      case PING:
        sink.ping(payload);
        return;
      case PONG:
        return;
      default:
        throw new FrameError(`unknown opcode ${opcode}`);
    }
  }

  #continue(isLast: boolean, payload: Buffer, sink: FrameSink): void {
    if (!this.#parts) throw new FrameError('a continuation frame has no message');
    this.#partsBytes += payload.length;
    if (this.#partsBytes > MAX_PAYLOAD_BYTES) throw new FrameError('a message is too long');
    this.#parts.push(Buffer.from(payload));
    if (!isLast) return;
    const whole = Buffer.concat(this.#parts);
    this.#parts = undefined;
    if (this.#isText) sink.text(whole);
  }
}

/** Builds a client frame; `payload` has at most 125 bytes. */
export function clientFrame(opcode: number, payload: Buffer): Buffer {
  // A zero mask is enough: masking defends against scripts that choose the bytes (RFC 6455, section 10.3).
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

/** Builds a pong, which repeats the payload of its ping. */
export function pongFrame(payload: Buffer): Buffer {
  return clientFrame(PONG, payload);
}

/** Builds a close frame. */
export function closeFrame(code: number): Buffer {
  return clientFrame(CLOSE, Buffer.from([code >> 8, code & 255]));
}
