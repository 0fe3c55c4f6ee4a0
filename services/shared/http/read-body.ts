import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { AppError } from '../errors.ts';
import { InFlight } from './in-flight.ts';

/**
 * Checks the media type of a request before its body is read, and returns it.
 *
 * @param accepted media types in lower case, without parameters
 * @param hint what the sender of another type can do instead
 * @throws {AppError} unsupported_media_type, also for a compressed body
 */
export function requireMediaType<T extends string>(headers: IncomingHttpHeaders, accepted: readonly T[], hint = ''): T {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = headers;
  const mediaType = /^([^\s;,]+) *(?:;|$)/.exec(type)?.[1]?.toLowerCase();
  const known = accepted.find((candidate) => candidate === mediaType);
  if (known === undefined)
    throw new AppError('unsupported_media_type', `The body must be ${accepted.join(' or ')}${hint}`);
  if (encoding.toLowerCase() !== 'identity') {
    throw new AppError('unsupported_media_type', 'The body must not be compressed');
  }
  return known;
}

/** Bodies of the largest size that may be in flight at a time. */
const BODIES_IN_FLIGHT = 256;
const FIRST_BYTES = 1024;

/** A body that is being received. */
interface PendingBody {
  fail(error: AppError): void;
}

/**
 * Reads bodies of requests, into memory that is bounded for each body and for all together. Bytes are copied as they
 * arrive: a chunk of one byte would keep the whole buffer alive in which the socket received it. If the memory for all is
 * used up, the body that is in flight for the longest time is refused.
 */
export class BodyReader {
  readonly #maxBytes: number;
  readonly #maxTotalBytes: number;
  readonly #pending = new InFlight<PendingBody>();
  #totalBytes = 0;

  /** @param deps.maxTotalBytes for all bodies in flight; by default 256 times `maxBytes` */
  constructor(deps: { maxBytes: number; maxTotalBytes?: number }) {
    this.#maxBytes = deps.maxBytes;
    this.#maxTotalBytes = deps.maxTotalBytes ?? BODIES_IN_FLIGHT * deps.maxBytes;
  }

  /**
   * Reads the raw bytes of a body. Rejects with the error of the stream if the client disconnects.
   *
   * @throws {AppError} body_too_large, as soon as the limit is exceeded or announced to be; too_many_bodies
   */
  async read(request: IncomingMessage): Promise<Buffer> {
    const tooLarge = () => new AppError('body_too_large', `The body is larger than ${this.#maxBytes / 1024} KiB`);
    if (Number(request.headers['content-length'] ?? 0) > this.#maxBytes) throw tooLarge();
    return new Promise((resolve, reject) => {
      let bytes = Buffer.alloc(0);
      let size = 0;
      const end = (): boolean => {
        if (!this.#pending.delete(body)) return false; // a refused body may still end
        request.off('data', collect);
        this.#totalBytes -= bytes.length;
        return true;
      };
      const body: PendingBody = {
        fail(error) {
          if (end()) reject(error);
        },
      };
      const collect = (chunk: Buffer): void => {
        const needed = size + chunk.length;
        if (needed > this.#maxBytes) {
          body.fail(tooLarge());
          return;
        }
        if (needed > bytes.length) {
          const larger = Buffer.allocUnsafeSlow(
            Math.min(this.#maxBytes, Math.max(2 * bytes.length, needed, FIRST_BYTES)),
          );
          bytes.copy(larger, 0, 0, size);
          this.#totalBytes += larger.length - bytes.length;
          bytes = larger;
        }
        chunk.copy(bytes, size);
        size = needed;
        this.#enforceTotal();
      };
      this.#pending.add(body);
      request.on('data', collect);
      request.once('end', () => {
        if (end()) resolve(bytes.subarray(0, size));
      });
      request.once('error', (error) => {
        if (end()) reject(error);
      });
    });
  }

  #enforceTotal(): void {
    let { oldest } = this.#pending;
    while (oldest && this.#totalBytes > this.#maxTotalBytes) {
      oldest.fail(new AppError('too_many_bodies'));
      oldest = this.#pending.oldest;
    }
  }
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
