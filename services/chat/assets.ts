import { type Asset, readAssets } from '../shared/express/assets.ts';

/** The page's files, by their paths. */
const TYPES = {
  '/chat.css': 'text/css',
  '/chat.js': 'text/javascript',
  '/icon.svg': 'image/svg+xml',
};

/** Reads the page's files, as a built chat finds them beside itself and one that runs from source in `dist`. */
export function readChatAssets(): readonly Asset[] {
  return readAssets(TYPES, [
    new URL('./public/', import.meta.url),
    new URL('../../dist/chat/public/', import.meta.url),
  ]);
}
