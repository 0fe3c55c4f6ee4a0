import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/**
 * Writes a file for `WEBHOOK_SOURCES`. Returns its path.
 * @param atEnd registers the deletion; by default after the test
 */
export function sourcesFile(content: unknown, atEnd: (remove: () => void) => void = onTestFinished): string {
  const dir = mkdtempSync(join(tmpdir(), 'heliograph-sources-'));
  atEnd(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'sources.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}
