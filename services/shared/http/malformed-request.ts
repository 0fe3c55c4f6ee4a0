import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { AppError, type ErrorCode } from '../errors.ts';
import { sendProblem } from './send-problem.ts';

/** For how long what still comes is thrown away, since a connection cut too early takes the answer with it. */
const LINGER_MS = 1000;

/**
 * Creates what answers that which is no request: its head is too long or no HTTP, or it takes too long. The connection
 * ends with it. `answering` tells which answer a connection waits for; `refused` is told the status where it is none.
 */
export function createRefuseMalformed(deps: {
  answering: (socket: Socket) => ServerResponse | undefined;
  refused: ((status: number) => void) | undefined;
}): (error: NodeJS.ErrnoException, socket: Socket) => void {
  const { answering, refused } = deps;
  const known = new WeakSet<Socket>();
  return (error, socket) => {
    if (known.has(socket)) return; // each further piece of it is an error of its own
    known.add(socket);
    const refusal = new AppError(codeOf(error));
    const waiting = answering(socket);
    // Nonsense behind a request is not its answer's matter; and Node has answers of its own, which may be on their way.
    const isTaken = waiting ? refusal.code !== 'request_timeout' : '_httpMessage' in socket && socket._httpMessage;
    if (isGone(error) || !socket.writable || isTaken) return void socket.destroy();
    const response = waiting ?? new ServerResponse(new IncomingMessage(socket));
    if (!waiting) {
      response.assignSocket(socket);
      refused?.(refusal.status);
    }
    response.shouldKeepAlive = false;
    response.once('finish', () => socket.end());
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
    sendProblem(response, refusal);
  };
}

/** The other side went away in the middle. */
function isGone({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNRESET' || code === 'HPE_INVALID_EOF_STATE';
}

function codeOf({ code }: NodeJS.ErrnoException): ErrorCode {
  if (code === 'HPE_HEADER_OVERFLOW') return 'headers_too_large';
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'request_timeout';
  return 'invalid_request';
}
