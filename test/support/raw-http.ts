import { connect } from 'node:net';

/**
 * Sends these bytes to a port of loopback and resolves with all that came back once the other side has
 * closed the connection, in whatever way.
 */
export function sendRaw(port: number, ...chunks: readonly (string | Buffer)[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.setEncoding('latin1');
    socket.on('data', (text) => {
      received += text;
    });
    socket.on('error', () => {}); // a reset is one of the ways
    socket.on('close', () => resolve(received));
    for (const chunk of chunks) socket.write(chunk);
  });
}
