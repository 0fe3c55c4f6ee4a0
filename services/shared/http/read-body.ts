import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { AppError } from '../errors.ts';

/**
 * Looks at what a body is said to be before it is read, and answers its media type, which is one of those taken.
 * Throws `unsupported_media_type`, also for a compressed body.
 */
export function requireMediaType<T extends string>(headers: IncomingHttpHeaders, taken: readonly T[]): T {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = headers;
  const mediaType = /^([^\s;,]+) *(?:;|$)/.exec(type)?.[1]?.toLowerCase();
  const known = taken.find((candidate) => candidate === mediaType);
  if (known === undefined) throw new AppError('unsupported_media_type', `The body must be ${taken.join(' or ')}`);
  if (encoding.toLowerCase() !== 'identity') {
    throw new AppError('unsupported_media_type', 'The body must not be compressed');
  }
  return known;
}

/**
 * Collects the raw bytes of a body. Throws `body_too_large` as soon as it is known to be, without
 * waiting for the rest; rejects with the stream's error where the sender went away.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = () => new AppError('body_too_large', `The body is larger than ${maxBytes / 1024} KiB`);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    function collect(chunk: Buffer): void {
      size += chunk.length;
      chunks.push(chunk);
      if (size <= maxBytes) return;
      request.off('data', collect);
      reject(tooLarge());
    }
    request.on('data', collect);
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('error', reject);
  });
}

/** Reads the bytes of a body as JSON's text, which is UTF-8. Throws `invalid_json`. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new AppError('invalid_json', 'The body is not UTF-8');
  }
}
