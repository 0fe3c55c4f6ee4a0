import { existsSync, readFileSync } from 'node:fs';
import { StartError } from '../shared/process/start-error.ts';

/** Reads the built browser client, as a built relay finds it beside itself and one that runs from source in `dist`. */
export function readClientFile(): string {
  const places = ['../client/client.js', '../../dist/client/client.js'].map((path) => new URL(path, import.meta.url));
  const found = places.find((place) => existsSync(place));
  if (!found) throw new StartError('the browser client is not built: run npm run build');
  return readFileSync(found, 'utf8');
}
