import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { AppError, type ErrorCode } from '../errors.ts';
import { sendProblem } from './send-problem.ts';

/** Further input is discarded for this long: closing the connection at once could destroy the response on its way. */
const LINGER_MS = 1000;

/**
 * Creates the handler for input that is not a valid request: headers that are too large, not HTTP, or too slow. It
 * responds with a problem and closes the connection.
 *
 * @param deps.oldestPending returns the oldest pending response of a connection
 * @param deps.refused called with the status and error code if the input never became a request
 */
export function createRefuseMalformed(deps: {
  oldestPending: (socket: Socket) => ServerResponse | undefined;
  refused: ((status: number, code: ErrorCode) => void) | undefined;
}): (error: NodeJS.ErrnoException, socket: Socket) => void {
  const { oldestPending, refused } = deps;
  const handled = new WeakSet<Socket>();
  return (error, socket) => {
    if (handled.has(socket)) return; // each further chunk causes another error
    handled.add(socket);
    const refusal = new AppError(codeOf(error));
    const pending = oldestPending(socket);
    // Input behind a request must not affect its response; and Node may already be sending a response of its own.
    const isBusy = pending ? refusal.code !== 'request_timeout' : '_httpMessage' in socket && socket._httpMessage;
    if (isGone(error) || !socket.writable || isBusy) return void socket.destroy();
    const response = pending ?? new ServerResponse(new IncomingMessage(socket));
    if (!pending) {
      response.assignSocket(socket);
      refused?.(refusal.status, refusal.code);
    }
    response.shouldKeepAlive = false;
    response.once('finish', () => socket.end());
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
    sendProblem(response, refusal);
  };
}

/** Returns whether the client closed the connection during a request. */
function isGone({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNRESET' || code === 'HPE_INVALID_EOF_STATE';
}

function codeOf({ code }: NodeJS.ErrnoException): ErrorCode {
  if (code === 'HPE_HEADER_OVERFLOW') return 'headers_too_large';
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'request_timeout';
  return 'invalid_request';
}
