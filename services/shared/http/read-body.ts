import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { AppError } from '../errors.ts';

/**
 * Checks the media type of a request before its body is read, and returns it.
 *
 * @param accepted media types in lower case, without parameters
 * @throws {AppError} unsupported_media_type, also for a compressed body
 */
export function requireMediaType<T extends string>(headers: IncomingHttpHeaders, accepted: readonly T[]): T {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = headers;
  const mediaType = /^([^\s;,]+) *(?:;|$)/.exec(type)?.[1]?.toLowerCase();
  const known = accepted.find((candidate) => candidate === mediaType);
  if (known === undefined) throw new AppError('unsupported_media_type', `The body must be ${accepted.join(' or ')}`);
  if (encoding.toLowerCase() !== 'identity') {
    throw new AppError('unsupported_media_type', 'The body must not be compressed');
  }
  return known;
}

/**
 * Reads the raw bytes of a body. Rejects with the error of the stream if the client disconnects.
 *
 * @throws {AppError} body_too_large, as soon as the limit is exceeded or announced to be
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

/**
 * Decodes the bytes of a JSON body.
 *
 * @throws {AppError} invalid_json if they are not UTF-8
 */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new AppError('invalid_json', 'The body is not UTF-8');
  }
}
