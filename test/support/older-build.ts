import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BUILDS = join(ROOT, '.cache/builds');
const run = promisify(execFile);

/** The release that people upgrade from. */
export const OLDER_RELEASE = { name: '0.1.0', commit: '9e36c0f' } as const;

/** Returns whether this clone has a commit; a shallow clone lacks most. */
export function hasCommit(commit: string): boolean {
  return spawnSync('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd: ROOT, stdio: 'ignore' }).status === 0;
}

/** Returns the folder `dist` of a build of an earlier commit, with the packages of this clone. Each commit is built once. */
export async function olderBuild(commit: string): Promise<string> {
  const { stdout } = await run('git', ['rev-parse', `${commit}^{commit}`], { cwd: ROOT });
  const folder = join(BUILDS, stdout.trim());
  if (!existsSync(folder)) {
    const unfinished = `${folder}.${process.pid}`;
    await mkdir(unfinished, { recursive: true });
    await extractCommit(commit, unfinished, 'services deploy package.json tsconfig.json tsconfig.build.json LICENSE');
    await run('npm', ['run', '--silent', 'build'], { cwd: unfinished });
    // Another process may have built it meanwhile.
    await rename(unfinished, folder).catch(() => rm(unfinished, { recursive: true }));
  }
  return join(folder, 'dist');
}

/** Writes files of a commit into an existing folder: all, or those of `paths`, separated by spaces. */
export async function extractCommit(commit: string, folder: string, paths = ''): Promise<void> {
  await run('sh', ['-c', `git -C "$0" archive ${commit} ${paths} | tar -x`, ROOT], { cwd: folder });
}
