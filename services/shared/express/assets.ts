import { existsSync, readFileSync } from 'node:fs';
import type { RequestHandler } from 'express';
import { etagOf } from '../http/etag.ts';
import { StartError } from '../start-error.ts';

/** A file of a page, ready to be served. */
export interface Asset {
  readonly path: string;
  readonly handler: RequestHandler;
}

/**
 * Reads the files of a page, given by their paths with their types, from the first of the folders that has them.
 * Throws a `StartError` where they are not built. A browser may keep them, but asks whether they are the newest.
 */
export function readAssets(types: Readonly<Record<string, string>>, folders: readonly URL[]): readonly Asset[] {
  return Object.entries(types).map(([path, type]) => {
    const found = folders.map((folder) => new URL(`.${path}`, folder)).find((place) => existsSync(place));
    if (!found) throw new StartError(`the page's ${path} is not built: run npm run build`);
    const bytes = readFileSync(found);
    const etag = etagOf(bytes);
    return {
      path,
      handler: (_request, response) => {
        response.set({ 'Cache-Control': 'no-cache', ETag: etag }).type(type).send(bytes);
      },
    };
  });
}
