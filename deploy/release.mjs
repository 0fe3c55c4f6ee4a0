// Releases a version: `npm run release -- 0.3.0`. Checks the working tree and the changelog, sets the version and the image
// tag everywhere, runs all checks and tests, commits, and tags. Pushes nothing. Restores the files if a check fails.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Every file that names the version, the image with its tag, or the npm package of the client library. */
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
];
const CHECKS = [['run', 'typecheck'], ['run', 'lint'], ['test']];

const root = fileURLToPath(new URL('..', import.meta.url));
const run = (program, args) =>
  execFileSync(program, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
const read = (file) => readFileSync(`${root}${file}`, 'utf8');
const fail = (problem) => {
  process.stderr.write(`no release: ${problem}\n`);
  process.exit(1);
};

const [version = ''] = process.argv.slice(2);
const { version: current } = JSON.parse(read('package.json'));
if (!/^\d+\.\d+\.\d+$/.test(version)) fail('the argument must be a version such as 0.3.0');
if (run('git', ['status', '--porcelain']) !== '') fail('the working tree has uncommitted changes');
if (run('git', ['tag', '--list', `v${version}`]) !== '') fail(`the tag v${version} exists`);
if (!read('CHANGELOG.md').includes(`\n## ${version}\n`)) fail(`CHANGELOG.md has no section ${version}`);

for (const file of FILES) {
  const text = read(file)
    .replaceAll(`heliograph:${current}`, `heliograph:${version}`)
    .replaceAll(`heliograph-client-${current}.tgz`, `heliograph-client-${version}.tgz`)
    .replaceAll(`heliograph-${current}.tgz`, `heliograph-${version}.tgz`)
    .replaceAll(`newTag: ${current}`, `newTag: ${version}`)
    .replaceAll(`ersion: ${current}`, `ersion: ${version}`)
    // The package itself, whose name stands before its version; its dependencies may have the same version.
    .replaceAll(`"name": "heliograph",\n  "version": "${current}"`, `"name": "heliograph",\n  "version": "${version}"`)
    .replaceAll(
      `"name": "heliograph",\n      "version": "${current}"`,
      `"name": "heliograph",\n      "version": "${version}"`,
    );
  writeFileSync(`${root}${file}`, text);
}
try {
  for (const args of CHECKS) execFileSync('npm', args, { cwd: root, stdio: 'inherit' });
} catch {
  run('git', ['checkout', '--', ...FILES]);
  fail('a check failed; the files are restored');
}
if (version !== current) run('git', ['commit', '--all', '--message', `deploy: release ${version}`]);
run('git', ['tag', '--annotate', `v${version}`, '--message', `Heliograph ${version}`]);
process.stdout.write(`released v${version}; push it with: git push --follow-tags\n`);
