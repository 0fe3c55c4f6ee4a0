import { WebsocketConnection } from '../../../services/loadtest/wire/websocket-connection.ts';
import { clientFrame } from '../../../services/loadtest/wire/websocket-frames.ts';

const TEXT = 1;
const [OPEN, PING] = [0x30, 0x32]; // '0' and '2' of Engine.IO's protocol

/** A Socket.IO client with the minimum of the protocol that receiving events takes. */
export class SocketIoConnection extends WebsocketConnection {
  override text(payload: Buffer): void {
    if (payload[0] === OPEN) this.write(clientFrame(TEXT, Buffer.from('40')));
    else if (payload[0] === PING) this.write(clientFrame(TEXT, Buffer.from('3')));
    else super.text(payload);
  }
}
