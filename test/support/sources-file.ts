import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Writes a file for `WEBHOOK_SOURCES`, which is deleted after the test. Returns its path. */
export function sourcesFile(content: unknown): string {
  const dir = mkdtempSync(join(tmpdir(), 'heliograph-sources-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'sources.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}
