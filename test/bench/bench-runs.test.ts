import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import type { BenchResult } from './bench.ts';

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));

it('the bench runs; a delivery costs about as much as with bare uWebSockets.js, and a catch-up storm reads each topic once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'heliograph-bench-'));
  const json = join(folder, 'bench.json');
  try {
    const only = ['--only', 'fan-out', '--only', 'catch-up-storm'];
    const args = [
      '--import',
      file('../support/typescript-loader.mjs'),
      file('main.ts'),
      '--no-build',
      '--quick',
      ...only,
    ];
    const { stdout } = await promisify(execFile)(process.execPath, [...args, '--json', json]);
    const { results } = JSON.parse(await readFile(json, 'utf8')) as { results: Record<string, BenchResult> };
    expect(Object.keys(results)).toEqual(['fan-out', 'catch-up-storm']);
    const [delivery, reads] = Object.values(results).map(({ goals }) => goals[0]?.measured);
    expect(delivery).toBeGreaterThan(0.5);
    expect(delivery).toBeLessThan(2); // the goal of 1.1 is for an idle machine
    expect(reads).toBeCloseTo(1, 0);
    expect(stdout).toMatch(/\| Socket\.IO with Redis +\| \d/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
