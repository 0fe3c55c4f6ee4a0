import { type Asset, readAssets } from '../../shared/express/assets.ts';

/** The files of the pages, by their paths. */
const TYPES = {
  '/stats.css': 'text/css',
  '/stats.js': 'text/javascript',
  '/icon.svg': 'image/svg+xml',
};

/** Reads the pages' files, as built ones find them beside themselves and those that run from source in `dist`. */
export function readStatsAssets(): readonly Asset[] {
  return readAssets(TYPES, [
    new URL('../public/', import.meta.url),
    new URL('../../../dist/stats/public/', import.meta.url),
  ]);
}
