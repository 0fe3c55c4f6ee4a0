import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const { version: CURRENT } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const NEXT = '123.4.5';
const FILES = [
  'package.json',
  'package-lock.json',
  'k8s/components/image/kustomization.yaml',
  'deploy/Dockerfile',
  'deploy/README.md',
  'deploy/compose.yaml',
  'deploy/helm/heliograph/Chart.yaml',
  'deploy/helm/heliograph/README.md',
  'services/client/README.md',
  'deploy/release.mjs',
];

describe('a release', () => {
  /** A repository with the files that name the version. Its `npm` only records how it is called. */
  let folder: string;
  let npmExitCode: number;

  const git = (...args: string[]) => execFileSync('git', args, { cwd: folder, encoding: 'utf8' }).trim();
  const read = (file: string) => readFileSync(join(folder, file), 'utf8');

  function release(...args: string[]) {
    const npm = join(folder, '.git', 'npm');
    writeFileSync(npm, `#!/bin/sh\necho "$*" >> "${folder}/.git/calls"\nexit ${npmExitCode}\n`);
    chmodSync(npm, 0o755);
    const env = { ...process.env, PATH: `${dirname(npm)}:${process.env.PATH}` };
    return spawnSync('node', ['deploy/release.mjs', ...args], { cwd: folder, env, encoding: 'utf8' });
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'heliograph-release-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    npmExitCode = 0;
    for (const file of FILES) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      cpSync(join(ROOT, file), join(folder, file));
    }
    writeFileSync(join(folder, 'CHANGELOG.md'), `# Changelog\n\n## ${NEXT}\n\nA change.\n`);
    git('init', '--quiet');
    git('config', 'user.email', 'tests@example.org');
    git('config', 'user.name', 'tests');
    git('config', 'commit.gpgsign', 'false');
    git('add', '--all');
    git('commit', '--quiet', '--message', 'first');
  });

  it('sets the version and the image tag everywhere, runs all checks, commits and tags', () => {
    expect(release(NEXT)).toMatchObject({ status: 0, stdout: expect.stringContaining(`released v${NEXT}`) });
    expect(JSON.parse(read('package.json')).version).toBe(NEXT);
    const lock = JSON.parse(read('package-lock.json'));
    expect([lock.version, lock.packages[''].version]).toEqual([NEXT, NEXT]);
    expect(read('k8s/components/image/kustomization.yaml')).toContain(`newTag: ${NEXT}`);
    expect(read('services/client/README.md')).toContain(`/heliograph-client-${NEXT}.tgz`);
    expect(read('services/client/README.md')).not.toContain(CURRENT);
    expect(parse(read('deploy/helm/heliograph/Chart.yaml'))).toMatchObject({ version: NEXT, appVersion: NEXT });
    expect(read('deploy/helm/heliograph/README.md')).toContain(`heliograph-${NEXT}.tgz`);
    for (const file of FILES.filter((name) => /^deploy\/[^/]+$/.test(name) && !name.endsWith('.mjs'))) {
      expect(new Set(read(file).match(/heliograph:\d+\.\d+\.\d+/g)), file).toEqual(new Set([`heliograph:${NEXT}`]));
    }
    expect(read('.git/calls')).toBe('run typecheck\nrun lint\ntest\n');
    expect(git('status', '--porcelain')).toBe('');
    expect(git('log', '-1', '--format=%s')).toBe(`deploy: release ${NEXT}`);
    expect(git('describe')).toBe(`v${NEXT}`);
  });

  it('changes nothing if a check fails', () => {
    npmExitCode = 1;
    expect(release(NEXT)).toMatchObject({ status: 1, stderr: expect.stringContaining('a check failed') });
    expect(git('status', '--porcelain')).toBe('');
    expect(git('log', '--format=%s')).toBe('first');
    expect(git('tag')).toBe('');
  });

  it('is refused with uncommitted changes, without a changelog section, with an invalid version, or twice', () => {
    expect(release('next').stderr).toContain('must be a version');
    expect(release('123.4.6').stderr).toContain('CHANGELOG.md has no section 123.4.6');
    writeFileSync(join(folder, 'notes.txt'), 'a change');
    expect(release(NEXT).stderr).toContain('uncommitted changes');
    rmSync(join(folder, 'notes.txt'));
    expect(release(NEXT).status).toBe(0);
    expect(release(NEXT).stderr).toContain(`the tag v${NEXT} exists`);
    expect(JSON.parse(read('package.json')).version).not.toBe(CURRENT);
  });
});
