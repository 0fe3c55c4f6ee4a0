import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('slow-disk.c', import.meta.url));
const BUILDS = fileURLToPath(new URL('../../.cache', import.meta.url));

/**
 * Returns the environment of a program whose files are on a slow disk: it needs longer for each flush and each write of a
 * file. Builds what is preloaded for that with gcc.
 * @param delayMs how much longer
 */
export function onSlowDisk(delayMs: number): NodeJS.ProcessEnv {
  const library = join(BUILDS, 'slow-disk.so');
  const changedAtMs = (file: string) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (changedAtMs(library) < changedAtMs(SOURCE)) {
    const unfinished = `${library}.${process.pid}`; // several processes may build it
    mkdirSync(BUILDS, { recursive: true });
    execFileSync('gcc', ['-shared', '-fPIC', '-O', '-o', unfinished, SOURCE, '-ldl']);
    renameSync(unfinished, library);
  }
  return { ...process.env, LD_PRELOAD: library, SLOW_DISK_MS: String(delayMs) };
}
