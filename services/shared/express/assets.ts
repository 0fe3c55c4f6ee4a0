import { existsSync, readFileSync } from 'node:fs';
import type { RequestHandler } from 'express';
import { etagOf, isNotModified } from '../http/etag.ts';
import { StartError } from '../start-error.ts';

/** A static file of a page, in memory. */
export interface Asset {
  readonly path: string;
  readonly handler: RequestHandler;
}

/**
 * Reads the static files of a page. Browsers may store them, but must revalidate them.
 *
 * @param types the media type of each file by its path, which starts with a slash
 * @param folders where to look for each file, in this order
 * @throws {StartError} if a file is in none of the folders, because it was not built
 */
export function readAssets(types: Readonly<Record<string, string>>, folders: readonly URL[]): readonly Asset[] {
  return Object.entries(types).map(([path, type]) => {
    const found = folders.map((folder) => new URL(`.${path}`, folder)).find((place) => existsSync(place));
    if (!found) throw new StartError(`${path} of the page is not built: run npm run build`);
    return { path, handler: serveBytes(readFileSync(found), type) };
  });
}

/** Creates the handler of content that changes only with the process: browsers may store it, but must revalidate it. */
export function serveBytes(bytes: Buffer, type: string): RequestHandler {
  const etag = etagOf(bytes);
  return (request, response) => {
    response.set({ 'Cache-Control': 'no-cache', ETag: etag }).type(type);
    if (isNotModified(request.get('if-none-match') ?? '', etag)) response.status(304).end();
    else response.send(bytes);
  };
}
