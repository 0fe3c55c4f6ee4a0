import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, inject, it } from 'vitest';
import { endProcess, spawnBound, untilListening } from '../support/bound-process.ts';
import { openPage, startBrowser } from '../support/browser.ts';
import { startCommentsApp } from '../support/comments-app.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { readmeExample } from '../support/readme-example.ts';
import { startRelay } from '../support/relay-fixture.ts';

const { NEXT_VERSION } = process.env;
const PACKAGE = fileURLToPath(new URL('../../dist/client/heliograph-client.tgz', import.meta.url));
const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production' as const };

it.skipIf(NEXT_VERSION === undefined)(
  'the recipe for Next renders on the server without a connection, and keeps one in the browser',
  async () => {
    await using relay = await startRelay();
    await using app = await startCommentsApp({ relay, script: '' });
    const dir = mkdtempSync(join(tmpdir(), 'heliograph-next-'));
    const run = (command: string, ...args: string[]) => promisify(execFile)(command, args, { cwd: dir, env });
    const write = (path: string, text: string) => {
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(
        join(dir, path),
        text.replace('http://localhost:8000/', app.url).replace('http://localhost:8080', relay.http),
      );
    };
    write('package.json', '{"private":true}');
    write('app/live.jsx', readmeExample('jsx', "'use client'"));
    write('app/page.jsx', readmeExample('jsx', 'force-dynamic'));
    write(
      'app/layout.jsx',
      'export default ({ children }) => <html lang="en"><head><link rel="icon" href="data:," /></head><body>{children}</body></html>;',
    );
    write(
      'app/comments/route.js',
      `export const GET = async () => fetch('http://localhost:8000/comments', { cache: 'no-store' });`,
    );
    copyFileSync(PACKAGE, join(dir, 'client.tgz'));
    await run(
      'npm',
      'install',
      '--no-audit',
      '--no-fund',
      `next@${NEXT_VERSION}`,
      'react',
      'react-dom',
      './client.tgz',
    );
    await run('npx', 'next', 'build');
    const port = await freePort();
    const next = spawnBound(
      process.execPath,
      [join(dir, 'node_modules/next/dist/bin/next'), 'start', dir, '-p', String(port)],
      env,
    );
    const browser = await startBrowser(inject('chromiumPath'));
    try {
      await untilListening(next, port);
      await app.write('one');
      const url = `http://localhost:${port}/`;
      expect(await (await fetch(url)).text()).toContain('[&quot;one&quot;]');
      expect(await relay.metric('relay_connections')).toBe(0);
      const { page, complaints } = await openPage(browser, url);
      const shows = (text: string) => eventually(async () => expect(await page.textContent('p')).toBe(text), 15_000);
      await eventually(async () => expect(await relay.metric('relay_connections')).toBe(1), 15_000);
      await shows('["one"]');
      await app.write('two');
      await shows('["one","two"]');
      expect(complaints).toEqual([]);
    } finally {
      await browser.close();
      await endProcess(next);
      rmSync(dir, { recursive: true });
    }
  },
  900_000,
);
