import { connect } from 'node:net';
import type { Target } from './target.ts';

/** Returns whether a target accepts a TCP connection within `timeoutMs`. */
export function canConnect({ host, port }: Target, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.setTimeout(timeoutMs, () => end(false));
  });
}
