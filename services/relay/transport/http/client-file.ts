import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { StartError } from '../../../shared/start-error.ts';

/** A file as browsers get it. */
export interface ClientFile {
  readonly path: string;
  readonly type: string;
  readonly text: string;
  /** Whether what is under this path never changes. */
  readonly immutable: boolean;
  /** Where the same text stays for ever. */
  readonly location?: string;
  /** Where its source map is. */
  readonly sourceMap?: string;
}

const SCRIPT = 'text/javascript; charset=utf-8';

/**
 * Reads the built browser client, as a built relay finds it beside itself and one that runs from source in
 * `dist`: under the name that always holds the newest, under one that holds this text and no other, and its
 * source map.
 */
export function readClientFiles(): readonly ClientFile[] {
  const places = ['../../../client/client.js', '../../../../dist/client/client.js'].map(
    (path) => new URL(path, import.meta.url),
  );
  const found = places.find((place) => existsSync(place));
  if (!found) throw new StartError('the browser client is not built: run npm run build');
  const text = readFileSync(found, 'utf8');
  const location = `/client-${createHash('sha256').update(text).digest('hex').slice(0, 12)}.js`;
  const sourceMap = '/client.js.map';
  return [
    { path: '/client.js', type: SCRIPT, text, immutable: false, location, sourceMap },
    { path: location, type: SCRIPT, text, immutable: true, sourceMap },
    {
      path: sourceMap,
      type: 'application/json',
      text: readFileSync(new URL('client.js.map', found), 'utf8'),
      immutable: false,
    },
  ];
}
