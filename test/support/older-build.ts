import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BUILDS = join(ROOT, '.cache/builds');
const run = promisify(execFile);

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
    const files = 'services deploy package.json tsconfig.json tsconfig.build.json';
    await run('sh', ['-c', `git -C "$0" archive ${commit} ${files} | tar -x`, ROOT], { cwd: unfinished });
    await run('npm', ['run', '--silent', 'build'], { cwd: unfinished });
    // Another process may have built it meanwhile.
    await rename(unfinished, folder).catch(() => rm(unfinished, { recursive: true }));
  }
  return join(folder, 'dist');
}
