import { connect } from 'node:net';

/** Sends bytes to a port of loopback. Resolves with everything received once the connection is closed or reset. */
export function sendRaw(port: number, ...chunks: readonly (string | Buffer)[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.setEncoding('latin1');
    socket.on('data', (text) => {
      received += text;
    });
    socket.on('error', () => {}); // a reset counts as closed
    socket.on('close', () => resolve(received));
    for (const chunk of chunks) socket.write(chunk);
  });
}
