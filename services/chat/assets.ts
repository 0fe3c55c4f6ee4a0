import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { RequestHandler } from 'express';
import { StartError } from '../shared/process/start-error.ts';

/** The page's files, by their paths. */
const TYPES = {
  '/chat.css': 'text/css',
  '/chat.js': 'text/javascript',
  '/icon.svg': 'image/svg+xml',
} as const;

/** A file of the page, ready to be served. */
export interface Asset {
  readonly path: string;
  readonly handler: RequestHandler;
}

/**
 * Reads the page's files, as a built chat finds them beside itself and one that runs from source in `dist`.
 * Throws a `StartError` where they are not built. A browser may keep them, but asks whether they are the newest.
 */
export function readAssets(): readonly Asset[] {
  return Object.entries(TYPES).map(([path, type]) => {
    const bytes = readFileSync(find(path));
    const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 16)}"`;
    return {
      path,
      handler: (_request, response) => {
        response.set({ 'Cache-Control': 'no-cache', ETag: etag }).type(type).send(bytes);
      },
    };
  });
}

function find(path: string): URL {
  const places = [`./public${path}`, `../../dist/chat/public${path}`].map((place) => new URL(place, import.meta.url));
  const found = places.find((place) => existsSync(place));
  if (!found) throw new StartError(`the page's ${path} is not built: run npm run build`);
  return found;
}
