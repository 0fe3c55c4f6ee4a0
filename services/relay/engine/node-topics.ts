/** Receives the messages of topics. */
export interface FrameReceiver {
  /** @param frame a whole WebSocket frame, the same for all receivers */
  sendFrame(frame: Buffer): unknown;
}

/** The topics of the engine on `node:http`, with the WebSockets that are subscribed. */
export class NodeTopics {
  readonly #receivers = new Map<string, Set<FrameReceiver>>();

  add(topic: string, receiver: FrameReceiver): void {
    const receivers = this.#receivers.get(topic);
    if (receivers) receivers.add(receiver);
    else this.#receivers.set(topic, new Set([receiver]));
  }

  delete(topic: string, receiver: FrameReceiver): void {
    const receivers = this.#receivers.get(topic);
    if (receivers?.delete(receiver) && receivers.size === 0) this.#receivers.delete(topic);
  }

  count(topic: string): number {
    return this.#receivers.get(topic)?.size ?? 0;
  }

  /** Sends a text message to all receivers of a topic. It becomes a frame once. */
  publish(topic: string, text: string): void {
    const receivers = this.#receivers.get(topic);
    if (!receivers) return;
    const frame = makeTextFrame(text);
    for (const receiver of receivers) receiver.sendFrame(frame);
  }
}

/** Makes the frame of a text message (RFC 6455, section 5.2). */
export function makeTextFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const headBytes = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(headBytes + length);
  frame[0] = 0x81;
  if (headBytes === 2) frame[1] = length;
  else if (headBytes === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, headBytes);
  return frame;
}
