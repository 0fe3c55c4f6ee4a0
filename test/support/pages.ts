import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Folders that hold no page of this repository. */
const SKIPPED = /(^|\/)(node_modules|dist|coverage|\.\w[^/]*)(\/|$)/;

/** A Markdown page of this repository. */
export interface Page {
  /** Relative to the root of the repository. */
  readonly path: string;
  readonly text: string;
}

/** Returns every Markdown page of this repository, the front page first. */
export function readPages(): readonly Page[] {
  const folders = ['', 'services', 'test', 'deploy', 'k8s'];
  const paths = folders.flatMap((folder) =>
    readdirSync(`${ROOT}${folder}`, { recursive: folder !== '', encoding: 'utf8' })
      .map((path) => (folder ? `${folder}/${path}` : path))
      .filter((path) => path.endsWith('.md') && !SKIPPED.test(path)),
  );
  return paths
    .sort((a, b) => Number(b === 'README.md') - Number(a === 'README.md') || a.localeCompare(b))
    .map((path) => ({ path, text: readFileSync(`${ROOT}${path}`, 'utf8') }));
}

/**
 * Returns the rows of all tables whose header begins with these cells, on whichever pages they are.
 *
 * @throws {Error} if no page has such a table
 */
export function tableRows(...header: readonly string[]): string[][] {
  const rows = readPages().flatMap(({ text }) =>
    text
      .split(/\n(?!\|)/)
      .map((block) => block.trim())
      .filter((block) => block.startsWith(`| ${header.join(' | ')} |`))
      .flatMap((table) => table.split('\n').slice(2))
      .map(cellsOf),
  );
  if (rows.length === 0) throw new Error(`no page has a table "${header.join(' | ')}"`);
  return rows;
}

/**
 * Returns the one page that contains this text.
 *
 * @throws {Error} unless it is on exactly one page
 */
export function pageWith(text: string): Page {
  const [page, ...others] = readPages().filter((candidate) => candidate.text.includes(text));
  if (!page || others.length > 0)
    throw new Error(`"${text}" is on ${others.length + (page ? 1 : 0)} pages, not on one`);
  return page;
}

function cellsOf(row: string): string[] {
  return row
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim());
}
