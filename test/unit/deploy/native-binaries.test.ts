import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PACKAGE = join(ROOT, 'node_modules/uWebSockets.js');
const SUMS = join(ROOT, 'deploy/uwebsockets.sha256');
/** The binary interfaces of Node 20, 22, 24 and 25. */
const ABIS = ['115', '127', '137', '141'];

describe('the binaries of uWebSockets.js', () => {
  it('are those whose SHA-256 is recorded, for every version of Node that has one', () => {
    const recorded = readFileSync(SUMS, 'utf8').match(/uws_\S+\.node/g);
    const used = readdirSync(PACKAGE).filter((name) => ABIS.some((abi) => name.endsWith(`_${abi}.node`)));
    expect(recorded?.sort()).toEqual(used.sort());
    execFileSync('sha256sum', ['--check', '--strict', '--quiet', SUMS], { cwd: PACKAGE });
  });

  it('are checked by the build of the image, which fails for a changed one', () => {
    const app = mkdtempSync(join(tmpdir(), 'heliograph-binaries-'));
    onTestFinished(() => rmSync(app, { recursive: true }));
    const dockerfile = readFileSync(join(ROOT, 'deploy/Dockerfile'), 'utf8');
    const [, check = ''] = /^RUN (cd node_modules\/uWebSockets\.js && sha256sum .*)$/m.exec(dockerfile) ?? [];
    const binary = 'node_modules/uWebSockets.js/uws_linux_x64_137.node';
    cpSync(SUMS, join(app, 'uwebsockets.sha256'));
    cpSync(join(ROOT, binary), join(app, binary));
    const build = () => spawnSync('sh', ['-ec', check], { cwd: app, encoding: 'utf8' });
    expect(build()).toMatchObject({ status: 0, stdout: 'uws_linux_x64_137.node: OK\n' });
    appendFileSync(join(app, binary), 'x');
    expect(build()).toMatchObject({ status: 1, stdout: 'uws_linux_x64_137.node: FAILED\n' });
  });
});
