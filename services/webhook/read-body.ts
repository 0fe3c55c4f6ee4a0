import type { IncomingMessage } from 'node:http';
import { AppError } from '../shared/errors.ts';

/**
 * Collects the raw bytes of a body. Throws `body_too_large` as soon as it is known to be, without
 * waiting for the rest; rejects with the stream's error where the sender went away.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw new AppError('body_too_large');
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    function collect(chunk: Buffer): void {
      size += chunk.length;
      chunks.push(chunk);
      if (size <= maxBytes) return;
      request.off('data', collect);
      reject(new AppError('body_too_large'));
    }
    request.on('data', collect);
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('error', reject);
  });
}
